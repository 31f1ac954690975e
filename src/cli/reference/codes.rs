//! The catalogue of diagnostic codes.

use super::{Page, titled};
use crate::core::diagnostic::Code;

/// Titles of the groups, by the first two digits of the code.
const GROUPS: [(&str, &str); 8] = [
    ("01", "Reading YAML"),
    ("02", "Shape of a manifest"),
    ("03", "References between manifests"),
    ("04", "Templates and days"),
    ("05", "Schedules"),
    ("06", "Filters"),
    ("07", "Tests"),
    ("08", "Results of tests"),
];

pub(super) fn page() -> Page {
    let mut text = titled("Diagnostic codes");
    text += "\n`validate`, `test` and `plan` report findings with these codes. `relancectl explain CODE` prints the same text.\n\
             An error stops a manifest from taking effect. A warning stops nothing.\n";
    for (digits, title) in GROUPS {
        text += &format!("\n## {digits}xx: {title}\n");
        for code in Code::ALL.iter().filter(|code| code.id()[2..].starts_with(digits)) {
            text += &format!(
                "\n### {} {}\n\n**{}.** {}\n",
                code.id(),
                code.name(),
                capital(&code.severity().to_string()),
                code.explanation()
            );
        }
    }
    Page { path: "codes.md".to_owned(), text }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::page;
    use crate::core::diagnostic::Code;

    #[test]
    fn every_code_is_in_a_group() {
        let text = page().text;
        for code in Code::ALL {
            assert!(text.contains(&format!("### {} {}", code.id(), code.name())), "{code}");
        }
    }
}
