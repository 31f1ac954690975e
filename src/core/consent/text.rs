//! A message as words: folded, without punctuation, emoji and marks, clause by clause.

use crate::core::domain::fold;

/// The words of one clause.
pub(super) type Clause = Vec<String>;

/// Splits a text into clauses and words.
///
/// Letters that stand alone, as in `S.T.O.P`, become one word. Arabic loses vowel signs, tatweel and the marks of alef,
/// and letters that keyboards mix up get one spelling. `m'écrivez` is two words and `don't` is one, as both are typed
/// without the apostrophe too.
pub(super) fn clauses(text: &str) -> Vec<Clause> {
    let folded = fold(&text.replace(['\n', '\r'], " ; "));
    let mut clauses = vec![Clause::new()];
    let mut word = String::new();
    let mut chars = folded.chars().peekable();
    while let Some(c) = chars.next() {
        if is_invisible(c) {
            continue;
        }
        if c.is_alphanumeric() {
            // `stop1` is two words.
            let turns = word.ends_with(char::is_numeric) != c.is_numeric();
            if let (true, false, Some(clause)) = (turns, word.is_empty(), clauses.last_mut()) {
                clause.push(std::mem::take(&mut word));
            }
            word.push(letter(c));
            continue;
        }
        if is_apostrophe(c) && word.chars().count() > 2 {
            continue;
        }
        if let (false, Some(clause)) = (word.is_empty(), clauses.last_mut()) {
            clause.push(std::mem::take(&mut word));
        }
        let inside = c == '.' && chars.peek().is_some_and(|next| next.is_alphanumeric());
        if ends_clause(c) && !inside && clauses.last().is_some_and(|clause| !clause.is_empty()) {
            clauses.push(Clause::new());
        }
    }
    if let (false, Some(clause)) = (word.is_empty(), clauses.last_mut()) {
        clause.push(word);
    }
    clauses.retain(|clause| !clause.is_empty());
    clauses.iter().map(|words| spelled(words)).collect()
}

/// Joins runs of three or more single letters.
fn spelled(words: &[String]) -> Clause {
    let alone = |word: &String| word.chars().count() == 1 && word.chars().all(char::is_alphabetic);
    let mut joined = Clause::new();
    for run in words.chunk_by(|word, next| alone(word) && alone(next)) {
        if run.len() > 2 {
            joined.push(run.concat());
        } else {
            joined.extend_from_slice(run);
        }
    }
    joined
}

fn letter(c: char) -> char {
    match c {
        // This is alef wasla; the other forms of alef are alef with a mark, which folding removes.
        '\u{671}' => '\u{627}',
        // These are alef maqsura and the Persian yeh.
        '\u{649}' | '\u{6cc}' => '\u{64a}',
        // This is the Persian kaf.
        '\u{6a9}' => '\u{643}',
        _ => c,
    }
}

/// Returns true for tatweel and for characters that only steer the layout.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{640}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | 'ʼ' | '`')
}

fn ends_clause(c: char) -> bool {
    matches!(c, '.' | ',' | '!' | '?' | ';' | ':' | '؟' | '،' | '؛' | '。' | '、' | '¡' | '¿')
}

#[cfg(test)]
mod tests {
    use super::clauses;

    #[test]
    fn a_message_is_split_into_clauses_of_folded_terms() {
        for (text, words) in [
            ("S.T.O.P.", "stop"),
            ("s t o p it", "stop it"),
            ("Stop.merci", "stop merci"),
            ("Ne m’écrivez plus, MERCI !", "ne m ecrivez plus/merci"),
            ("don't. I'll stay", "dont/i ll stay"),
            ("st\u{200b}op\n1️⃣", "stop/1"),
            ("تـوقـف؟", "توقف"),
            ("👍", ""),
        ] {
            let read: Vec<String> = clauses(text).iter().map(|clause| clause.join(" ")).collect();
            assert_eq!(read.join("/"), words, "{text}");
        }
    }
}
