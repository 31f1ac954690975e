//! The comparison of words without case, accents or extra space.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Folds a text: lower case, no accents, trimmed, single inner spaces. `Étudiant ` becomes `etudiant`.
pub fn fold(text: &str) -> String {
    let plain: String = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn case_accents_and_space_do_not_count() {
        assert_eq!(fold("  Électricien\u{a0} du  Bâtiment "), "electricien du batiment");
        assert_eq!(fold("E\u{301}tudiant"), fold("étudiant"));
        assert_eq!(fold("معلّم"), fold("معلم"));
    }
}
