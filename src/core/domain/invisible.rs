//! Characters that nobody sees: they arrive with copied text and make equal texts differ.

use std::borrow::Cow;

/// The first character of the scripts that use joiners inside words. Latin, Greek, Cyrillic and Hebrew use none.
const JOINING_SCRIPTS: char = '\u{600}';

/// Returns true for a character that is invisible and has no meaning in the text of an export.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{3164}')
        || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}')
}

/// Returns true for a character that has a meaning between letters of some scripts, and in emoji, and else none.
pub(super) fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0020}'..='\u{e007f}')
}

/// Returns true for a character that cannot be told from an ordinary space, or from nothing.
pub fn is_unseen(c: char) -> bool {
    (c.is_whitespace() && !c.is_ascii()) || is_invisible(c)
}

/// Returns the text without invisible characters. A joiner stays after a letter or sign of a script that uses it.
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || !text.chars().any(|c| is_invisible(c) || is_joiner(c)) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !is_invisible(*c)) {
        if !is_joiner(c) || kept.ends_with(|last| last >= JOINING_SCRIPTS) {
            kept.push(c);
        }
    }
    // A joiner at the end joins nothing. A variation selector and a tag end an emoji.
    kept.truncate(kept.trim_end_matches(['\u{200c}', '\u{200d}']).len());
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn invisible_characters_vanish_and_joiners_of_scripts_stay() {
        for (text, expected) in [
            ("z2\u{200b}", "z2"),
            ("\u{feff}phone", "phone"),
            ("a\u{ad}1\u{2060}\u{202a}b\u{202c}", "a1b"),
            ("Zo\u{200d}é\u{200c}", "Zoé"),
            ("a1\u{200c}", "a1"),
            ("1\u{fe0f}", "1"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("علی\u{200c}", "علی"),
            ("👩\u{200d}🍳", "👩\u{200d}🍳"),
            ("❤\u{fe0f}", "❤\u{fe0f}"),
            ("\u{3164}", ""),
            ("Étoundi", "Étoundi"),
        ] {
            assert_eq!(visible(text), expected, "{text:?}");
        }
    }
}
