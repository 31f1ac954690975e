//! The selection of the tests to run, and of the tree under test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::core::diagnostic::did_you_mean;
use crate::core::manifest;
use crate::core::manifest::testcase::CampaignTest;
use crate::core::manifest::{Checked, Kind, Sources};
use crate::source;

/// The tree, with the selected tests.
pub(super) struct Selection {
    pub(super) sources: Sources,
    pub(super) checked: Checked,
    /// The selected tests; empty when the tree has errors.
    pub(super) tests: Vec<CampaignTest>,
}

/// Reads the tree in `dirs` and the tests in `paths`, by default those of the tree.
///
/// # Errors
/// Returns a sentence when no such test exists. Returns one too when `paths` hold other manifests, which would not
/// belong to the tree under test.
pub(super) fn select(dirs: &[PathBuf], paths: &[PathBuf], name: Option<&str>) -> anyhow::Result<Selection> {
    let mut sources = source::load(dirs)?;
    let mut wanted: Option<BTreeSet<String>> = None;
    if !paths.is_empty() {
        let tree: BTreeSet<PathBuf> = sources.files.iter().map(|file| real(&file.path)).collect();
        let named: BTreeSet<PathBuf> = source::load(paths)?
            .files
            .into_iter()
            .map(|file| {
                let path = real(&file.path);
                if tree.contains(&path) {
                    return Ok(path);
                }
                if let Some(kind) = manifest::kinds(&file).into_iter().find(|kind| *kind != Kind::CampaignTest) {
                    bail!(
                        "`{}` has a `{kind}`: only tests are taken from there; name the tree with `--dir`",
                        file.path
                    );
                }
                sources.files.push(file);
                Ok(path)
            })
            .collect::<anyhow::Result<_>>()?;
        let files = sources.files.iter().filter(|file| named.contains(&real(&file.path)));
        wanted = Some(files.map(|file| file.path.clone()).collect());
    }
    let checked = manifest::check(&sources);
    let from = |test: &&CampaignTest| wanted.as_ref().is_none_or(|wanted| wanted.contains(&*test.place.file));
    let all: Vec<&CampaignTest> = checked.tests.iter().filter(from).collect();
    let tests: Vec<CampaignTest> = all
        .iter()
        .filter(|test| name.is_none_or(|pattern| matches(pattern, test.name.as_str())))
        .map(|test| (*test).clone())
        .collect();
    if tests.is_empty() && !checked.has_errors() {
        let roots = if paths.is_empty() { dirs } else { paths };
        let roots: Vec<String> = roots.iter().map(|root| format!("`{}`", root.display())).collect();
        match name.filter(|_| !all.is_empty()) {
            Some(name) => {
                let near = did_you_mean(name, all.iter().map(|test| test.name.as_str()));
                let near = near.map(|near| format!("; {near}")).unwrap_or_default();
                bail!("there is no test `{name}`{near}");
            }
            None => bail!("there is no `CampaignTest` in {}", roots.join(", ")),
        }
    }
    Ok(Selection { sources, checked, tests })
}

/// Returns one path for one file, however it was reached.
fn real(path: &str) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| Path::new(path).to_owned())
}

/// Returns true if `name` matches `pattern`, in which each `*` stands for any characters.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(head) else { return false };
    (0..=name.len()).filter(|at| name.is_char_boundary(*at)).any(|at| matches(rest, &name[at..]))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_test_pattern_matches_names_and_wildcards() {
        for (pattern, name, is) in [
            ("paid", "paid", true),
            ("paid", "paid-people", false),
            ("paid*", "paid-people", true),
            ("*people", "paid-people", true),
            ("*", "x", true),
            ("p*-*e", "paid-people", true),
            ("p*-*x", "paid-people", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, name), is, "{pattern} {name}");
        }
    }
}
