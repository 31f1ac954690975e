//! Suggestions for misspelt words.

/// Returns the candidate that `word` most likely misspells.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// The length limit, above every known name; longer words are no misspellings.
    const MAX_CHARS: usize = 100;
    let plain = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if word.chars().nth(MAX_CHARS).is_some() {
        return None;
    }
    let wanted: String = plain(word);
    candidates
        .into_iter()
        .map(|candidate| {
            let shown: String = plain(candidate);
            (strsim::damerau_levenshtein(&wanted, &shown), shown.chars().count(), candidate)
        })
        .filter(|(distance, length, _)| *distance <= (*length.max(&2)).div_ceil(4).min(3))
        .min_by_key(|(distance, _, _)| *distance)
        .map(|(_, _, candidate)| candidate)
}

/// Returns `did you mean `x`?` if there is a likely candidate.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|near| format!("did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn only_a_misspelling_gets_a_suggestion() {
        let words = ["name", "referrerName", "day", "daysTotal", "optOutHint"];
        for (word, near) in [
            ("nmae", Some("name")),
            ("referrer_name", Some("referrerName")),
            ("daystotal", Some("daysTotal")),
            ("optouthints", Some("optOutHint")),
            ("city", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, words), near, "{word}");
        }
    }
}
