//! Words that are one letter away from each other.

/// Returns true if one letter more, less, other or swapped with its neighbour makes `said` into `word`.
pub(super) fn is_one_off(said: &str, word: &str) -> bool {
    let (said, word, same) = letters(said, word);
    let (said, word) = (&said[same..], &word[same..]);
    !(said.is_empty() && word.is_empty())
        && (is_swapped(said, word)
            || (said.len() == word.len() && said[1..] == word[1..])
            || without_first(said) == Some(word)
            || without_first(word) == Some(said))
}

/// Returns true if `said` is `word` with two neighbours swapped, or a letter doubled: no other word looks like that.
pub(super) fn is_slip(said: &str, word: &str) -> bool {
    let (said, word, same) = letters(said, word);
    let doubled = same > 0 && said.get(same) == Some(&said[same - 1]) && said[same + 1..] == word[same..];
    doubled || is_swapped(&said[same..], &word[same..])
}

/// Returns the letters of both, and the number of equal ones at their beginning.
fn letters(said: &str, word: &str) -> (Vec<char>, Vec<char>, usize) {
    let (said, word): (Vec<char>, Vec<char>) = (said.chars().collect(), word.chars().collect());
    let same = said.iter().zip(&word).take_while(|(one, other)| one == other).count();
    (said, word, same)
}

fn is_swapped(said: &[char], word: &[char]) -> bool {
    match (said, word) {
        ([first, second, rest @ ..], [one, two, others @ ..]) => first == two && second == one && rest == others,
        _ => false,
    }
}

fn without_first(word: &[char]) -> Option<&[char]> {
    word.split_first().map(|(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::{is_one_off, is_slip};

    #[test]
    fn one_letter_is_a_typo_and_two_are_another_word() {
        for typo in ["stpo", "sto", "stopp", "stup", "xstop", "tstop", "tsop", "top", "stop1"] {
            assert!(is_one_off(typo, "stop"), "{typo}");
        }
        for other in ["stop", "spot", "stoppt", "st", "shoe", "step2"] {
            assert!(!is_one_off(other, "stop"), "{other}");
        }
        for slip in ["bjaa", "abja", "bajja", "bajaa"] {
            assert!(is_slip(slip, "baja"), "{slip}");
        }
        for other in ["baja", "caja", "baj", "bajar"] {
            assert!(!is_slip(other, "baja"), "{other}");
        }
    }
}
