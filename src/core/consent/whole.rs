//! Messages that are nothing but a word for STOP, with thanks, please, a number or emoji around it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::polite_words::POLITE;
use super::stop_words::{AMBIGUOUS, STOP};

/// The most words of a message that is nothing but a STOP.
const MOST_WORDS: usize = 20;

/// Every STOP phrase without its spaces: `opt out`, `opt-out` and `optout` are one word.
pub(super) static PHRASES: LazyLock<BTreeSet<String>> = LazyLock::new(|| closed(&STOP));
static POLITE_PHRASES: LazyLock<BTreeSet<String>> = LazyLock::new(|| closed(&POLITE));
/// The letters of the longest phrase, in bytes.
static LONGEST: LazyLock<usize> =
    LazyLock::new(|| PHRASES.iter().chain(POLITE_PHRASES.iter()).map(String::len).max().unwrap_or_default());

fn closed(tables: &[&[&str]]) -> BTreeSet<String> {
    tables.iter().flat_map(|words| words.iter()).map(|word| word.replace(' ', "")).collect()
}

/// Returns true if the words are STOP phrases, one or more, and otherwise only polite words and numbers. Beside a
/// number, ambiguous phrases do not count.
pub(super) fn is_stop(words: &[String]) -> bool {
    let is_number = |word: &String| word.chars().all(char::is_numeric);
    let rest: Vec<String> = words.iter().filter(|word| !is_number(word)).cloned().collect();
    rest.len() <= MOST_WORDS
        && if rest.len() == words.len() { consists_of(&rest, |_| true) } else { is_strong_stop(&rest) }
}

/// Returns true if the words are unambiguous STOP phrases, one or more, and otherwise only polite words.
pub(super) fn is_strong_stop(words: &[String]) -> bool {
    words.len() <= MOST_WORDS && consists_of(words, |phrase| !AMBIGUOUS.contains(&phrase))
}

/// Returns true for a polite word or a phrase without spaces.
pub(super) fn is_polite(word: &str) -> bool {
    POLITE_PHRASES.contains(word)
}

fn consists_of(words: &[String], counts: impl Fn(&str) -> bool) -> bool {
    // For each position: `None` unless whole phrases reach it, then true if a STOP phrase is among them.
    let mut reached = vec![None; words.len() + 1];
    reached[0] = Some(false);
    for first in 0..words.len() {
        let Some(stops) = reached[first] else { continue };
        let mut phrase = String::new();
        for (at, word) in words.iter().enumerate().skip(first) {
            phrase += word;
            if phrase.len() > *LONGEST {
                break;
            }
            let is_stop = PHRASES.contains(&phrase) && counts(&phrase);
            if is_stop || is_polite(&phrase) {
                reached[at + 1] = Some(reached[at + 1].unwrap_or(false) || stops || is_stop);
            }
        }
    }
    reached[words.len()] == Some(true)
}
