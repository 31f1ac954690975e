//! The erasure of a person from free text: reasons that operators typed, errors of providers, words of people.
//!
//! Such text names people in any form, so the tables are searched. This happens after the erasure itself, without its
//! locks: nobody waits for it.

use crate::core::domain::Phone;
use crate::store::{Error, Store};

/// The number of last digits by which a phone is recognized, whatever comes before them.
const DIGITS: usize = 8;
/// The length from which a part of a name counts alone.
const PART: usize = 4;

/// Replaces a text that names the person as a whole: what stands around the name may identify them, too. The reason of
/// an event of a run is a code.
const STATEMENTS: [&str; 7] = [
    "update event set
       reason = case when after is null and reason ~* $1 then '(erased)' else reason end,
       detail = (select jsonb_object_agg(key, case
                   when key in ('reason', 'text', 'error', 'message', 'said') and value #>> '{}' ~* $1
                   then '\"(erased)\"'::jsonb else value end) from jsonb_each(detail))
     where (after is null and reason ~* $1) or detail::text ~* $1",
    "update notification set
       reason = case when reason ~* $1 then '(erased)' else reason end,
       error = case when error ~* $1 then '(erased)' else error end,
       detail = (select jsonb_object_agg(key, case
                   when key in ('reason', 'text', 'error', 'message', 'said') and value #>> '{}' ~* $1
                   then '\"(erased)\"'::jsonb else value end) from jsonb_each(detail))
     where reason ~* $1 or error ~* $1 or detail::text ~* $1",
    "update override set reason = '(erased)' where reason ~* $1",
    "update refused_plan set approval_reason = '(erased)' where approval_reason ~* $1",
    "update erasure set reason = '(erased)' where reason ~* $1",
    "update suppression set
       reason = case when reason ~* $1 then '(erased)' else reason end,
       said = case when said ~* $1 then '(erased)' else said end
     where reason ~* $1 or said ~* $1",
    "update message set error = '(erased)' where error ~* $1",
];

impl Store {
    /// Erases the person with this phone and these names from all free text.
    pub(super) async fn erase_free_text(&self, phone: &Phone, names: &[String]) -> Result<(), Error> {
        let pattern = pattern(phone, names);
        for statement in STATEMENTS {
            sqlx::query(statement)
                .bind(&pattern)
                .execute(&self.pool)
                .await
                .map_err(Error::during("erase a person from free text"))?;
        }
        Ok(())
    }
}

/// Returns the regular expression of Postgres that finds the phone in any spelling, and the names.
fn pattern(phone: &Phone, names: &[String]) -> String {
    let spellings = phone.spellings();
    let mut parts: Vec<String> = spellings.iter().map(|digits| phone_pattern(digits)).collect();
    for name in names {
        let words = name.split_whitespace().filter(|part| part.chars().count() >= PART);
        for word in std::iter::once(name.trim()).chain(words).filter(|word| !word.is_empty()) {
            let words: Vec<String> = word.split_whitespace().map(escaped).collect();
            parts.push(format!("(?:^|\\W){}(?:\\W|$)", words.join("\\s+")));
        }
    }
    parts.sort_unstable();
    parts.dedup();
    parts.join("|")
}

/// Finds the last digits with what people write between digits.
fn phone_pattern(digits: &str) -> String {
    let last = &digits[digits.len().saturating_sub(DIGITS)..];
    last.chars().map(String::from).collect::<Vec<_>>().join("[-\\s().]*")
}

fn escaped(word: &str) -> String {
    word.chars().flat_map(|c| (!c.is_alphanumeric()).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::pattern;
    use crate::core::domain::Phone;

    #[test]
    fn a_pattern_finds_the_phone_in_any_spelling_and_whole_names() {
        let phone = Phone::trusted("+237671000001".to_owned());
        let pattern = pattern(&phone, &["Paul O'Neil (fils)".to_owned(), String::new()]);
        assert_eq!(
            pattern,
            "(?:^|\\W)O\\'Neil(?:\\W|$)|(?:^|\\W)Paul(?:\\W|$)|(?:^|\\W)Paul\\s+O\\'Neil\\s+\\(fils\\)(?:\\W|$)|\
             (?:^|\\W)\\(fils\\)(?:\\W|$)|\
             7[-\\s().]*1[-\\s().]*0[-\\s().]*0[-\\s().]*0[-\\s().]*0[-\\s().]*0[-\\s().]*1"
        );
    }
}
