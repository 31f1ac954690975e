//! Messages that may ask for silence without being a word for STOP; only a person can tell.

use std::sync::LazyLock;

use super::more_near_words::MORE_NEAR;
use super::near_words::NEAR;
use super::ordinary_words::{LOOK_ALIKES, ORDINARY};
use super::pattern::{BLANK, Pattern};
use super::text::Clause;
use super::typo::{is_one_off, is_slip};
use super::whole::{PHRASES, is_polite, is_stop, is_strong_stop};

/// Emoji that may mean STOP in a message of hardly any words.
const FORBIDDING: [char; 7] = ['🛑', '⛔', '🚫', '🔕', '🖕', '❌', '📵'];
/// The most words around an emoji that forbids.
const FEW: usize = 3;
/// The most words of a message that is compared letter by letter.
const SHORT: usize = 8;
/// The maximum number of words of a clause in which a word of [`ALONE`] counts.
const BRIEF: usize = 4;
/// Words for STOP that count anywhere in a brief clause.
const ALONE: [&str; 8] = ["stop", "stopp", "stopping", "arret", "arrete", "arretez", "arreter", "spam"];
/// The minimum number of letters for a typo to be recognized; a changed letter in a shorter word makes another word.
const LONG: usize = 6;
/// Shorter words for STOP in which one changed letter is still recognized.
const DISTINCT: [&str; 4] = ["stop", "stopp", "unsub", "arret"];
/// Words with this many letters are recognized with a typo in any sentence.
const UNMISTAKABLE: usize = 10;
/// In words of this many letters, only slips count.
const MIDDLING: std::ops::Range<usize> = 4..LONG;

static REQUESTS: LazyLock<Vec<Pattern>> = LazyLock::new(|| parse(NEAR.iter().chain(&MORE_NEAR)));
static HARMLESS: LazyLock<Vec<Pattern>> = LazyLock::new(|| parse(ORDINARY.iter()));

fn parse<'a>(tables: impl Iterator<Item = &'a &'static [&'static str]>) -> Vec<Pattern> {
    tables.flat_map(|table| table.iter()).map(|pattern| Pattern::parse(pattern)).collect()
}

/// Returns true if the message may mean STOP.
pub(super) fn may_mean_stop(text: &str, clauses: &[Clause]) -> bool {
    let words: usize = clauses.iter().map(Vec::len).sum();
    (words <= FEW && text.contains(FORBIDDING))
        || is_misspelled(&clauses.concat())
        || clauses.iter().any(|clause| is_strong_stop(clause) || asks(clause))
        || (text.contains("STOP") && text.contains(char::is_lowercase) && clauses.iter().any(|clause| shouts(clause)))
}

/// Returns true if a clause holds a request for silence, apart from phrases that are harmless.
fn asks(clause: &[String]) -> bool {
    let words = without_harmless(clause);
    let brief = words.len() <= BRIEF && words.iter().any(|word| ALONE.contains(&word.as_str()));
    brief
        || REQUESTS.iter().any(|pattern| pattern.find(&words).is_some())
        || words.iter().any(|word| is_unmistakable(word))
}

fn shouts(clause: &[String]) -> bool {
    without_harmless(clause).iter().any(|word| word == "stop")
}

fn without_harmless(clause: &[String]) -> Clause {
    let mut words = clause.to_vec();
    for pattern in HARMLESS.iter() {
        if let Some((first, end)) = pattern.find(clause) {
            words[first..end].fill(BLANK.to_owned());
        }
    }
    words
}

/// Returns true if the whole message is a word for STOP with a typo.
fn is_misspelled(words: &[String]) -> bool {
    let is_number = |word: &String| word.chars().all(char::is_numeric);
    let rest: Vec<&String> = words.iter().filter(|word| !is_polite(word) && !is_number(word)).collect();
    if rest.is_empty() || rest.len() > SHORT {
        return false;
    }
    let whole: String = rest.iter().map(|word| word.as_str()).collect();
    let words = words.concat();
    [whole, words].iter().any(|typed| is_near_phrase(typed))
        || rest.iter().all(|word| is_near_phrase(word) || is_stop(&[(*word).clone()]))
}

fn is_near_phrase(typed: &str) -> bool {
    if LOOK_ALIKES.contains(&typed) || is_polite(typed) {
        return false;
    }
    PHRASES.iter().any(|phrase| {
        let letters = phrase.chars().count();
        ((letters >= LONG || DISTINCT.contains(&phrase.as_str())) && is_one_off(typed, phrase))
            || (MIDDLING.contains(&letters) && is_slip(typed, phrase))
    })
}

fn is_unmistakable(word: &str) -> bool {
    word.chars().count() >= UNMISTAKABLE - 1
        && PHRASES.iter().any(|phrase| phrase.chars().count() >= UNMISTAKABLE && is_one_off(word, phrase))
}
