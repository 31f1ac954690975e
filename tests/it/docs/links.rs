//! Links between pages.

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::page::{Page, root};

/// Returns a sentence for every link that leads nowhere.
pub(super) fn faults(pages: &[Page]) -> Vec<String> {
    let mut faults = Vec::new();
    for page in pages {
        for link in links(&page.text) {
            if let Some(why) = fault(page, &link) {
                faults.push(format!("{}: `{link}`: {why}", page.path));
            }
        }
    }
    faults
}

/// The pages of the book that its summary does not have.
pub(super) fn not_in_summary(pages: &[Page]) -> Vec<String> {
    let summary = &pages.iter().find(|page| page.path == "docs/src/SUMMARY.md").unwrap().text;
    let listed = links(summary);
    let book = pages.iter().filter_map(|page| page.path.strip_prefix("docs/src/"));
    book.filter(|path| *path != "SUMMARY.md" && !listed.iter().any(|link| link == path)).map(str::to_owned).collect()
}

/// The text without fenced blocks and code.
fn prose(text: &str) -> String {
    let outside: String = text.split("```").step_by(2).collect::<Vec<_>>().join("\n");
    outside.split('`').step_by(2).collect::<Vec<_>>().join("code")
}

/// The targets of all links and images.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link.to_owned()).collect()
}

fn fault(page: &Page, link: &str) -> Option<&'static str> {
    if link.starts_with("https://") {
        return None;
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let here = Path::new(&page.path);
    let target = if file.is_empty() { here.to_owned() } else { resolved(&here.parent().unwrap().join(file)) };
    if page.path.starts_with("docs/src/") && !target.starts_with("docs/src") {
        return Some("leads out of the book");
    }
    let path = root().join(&target);
    if !path.is_file() {
        return Some("there is no such file");
    }
    let anchor = anchor?;
    let text = fs::read_to_string(path).unwrap();
    let headings = prose_lines(&text).filter_map(|line| line.strip_prefix('#')).map(slug);
    (!headings.into_iter().any(|heading| heading == anchor)).then_some("there is no such heading")
}

/// The lines outside of fenced blocks.
fn prose_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split("```").step_by(2).flat_map(str::lines)
}

/// The path without `..`.
fn resolved(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
}

/// The anchor that mdBook and GitHub make of a heading.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::{fault, links};
    use crate::docs::page::Page;

    #[test]
    fn wrong_links_are_found() {
        let text = "[a](b.md) `[no](x.md)`\n```text\n[no](y.md)\n```\n![c](d.svg)";
        assert_eq!(links(text), ["b.md", "d.svg"]);
        let page = Page { path: "docs/src/introduction.md".to_owned(), text: String::new() };
        for (link, expected) in [
            ("tutorial.md", None),
            ("guides/incidents.md#uncertain-messages", None),
            ("https://example.com", None),
            ("guides/none.md", Some("there is no such file")),
            ("tutorial.md#none", Some("there is no such heading")),
            ("../../README.md", Some("leads out of the book")),
        ] {
            assert_eq!(fault(&page, link), expected, "{link}");
        }
    }
}
