//! Words that are one letter away from each other.

/// Returns true if one letter of `typed` must be added, removed, replaced or swapped with its neighbour to get `word`.
pub(super) fn is_one_off(typed: &str, word: &str) -> bool {
    let (typed, word, same) = letters(typed, word);
    let (typed, word) = (&typed[same..], &word[same..]);
    !(typed.is_empty() && word.is_empty())
        && (is_swapped(typed, word)
            || (typed.len() == word.len() && typed[1..] == word[1..])
            || without_first(typed) == Some(word)
            || without_first(word) == Some(typed))
}

/// Returns true if `typed` is `word` with two neighbours swapped, or a letter doubled: no other word looks like that.
pub(super) fn is_slip(typed: &str, word: &str) -> bool {
    let (typed, word, same) = letters(typed, word);
    let doubled = same > 0 && typed.get(same) == Some(&typed[same - 1]) && typed[same + 1..] == word[same..];
    doubled || is_swapped(&typed[same..], &word[same..])
}

/// Returns the letters of both, and the number of equal ones at their beginning.
fn letters(typed: &str, word: &str) -> (Vec<char>, Vec<char>, usize) {
    let (typed, word): (Vec<char>, Vec<char>) = (typed.chars().collect(), word.chars().collect());
    let same = typed.iter().zip(&word).take_while(|(one, other)| one == other).count();
    (typed, word, same)
}

fn is_swapped(typed: &[char], word: &[char]) -> bool {
    match (typed, word) {
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
    fn a_one_letter_difference_is_a_typo() {
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
