//! The removal of secrets and phones from the errors of providers, which may repeat a request in any encoding.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use crate::core::domain::hex;
use crate::core::lifecycle::outcome::Outcome;

/// The replacement of a word.
const MASK: &str = "…";
/// The length from which the beginning of a word counts as a part of it, at the end of a text that was cut.
const TELLING: usize = 4;

/// Replaces `words`, which identify a person or grant access, in the error of an outcome, however they are encoded.
pub(super) fn without<'a>(outcome: Outcome, words: impl Iterator<Item = &'a str>) -> Outcome {
    let forms = forms(words);
    match outcome {
        Outcome::Refused(mut refusal) => {
            refusal.error = masked(refusal.error, &forms);
            Outcome::Refused(refusal)
        }
        Outcome::Unknown { error } => Outcome::Unknown { error: masked(error, &forms) },
        accepted @ Outcome::Accepted { .. } => accepted,
    }
}

/// Returns the value of an `Authorization` header of the scheme `Basic`, without the scheme.
pub(super) fn basic(username: &str, password: &str) -> String {
    STANDARD.encode(format!("{username}:{password}"))
}

/// Returns the argument of `AUTH PLAIN`, by which a mail server is told the password.
pub(super) fn plain(username: &str, password: &str) -> String {
    STANDARD.encode(format!("\0{username}\0{password}"))
}

/// Returns the words in all encodings, the longest first, so that no part of one stays.
fn forms<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut forms: Vec<String> = words.filter(|word| !word.is_empty()).flat_map(encodings).collect();
    forms.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    forms.dedup();
    forms
}

fn encodings(word: &str) -> Vec<String> {
    let upper = percent(word, |byte| format!("%{byte:02X}"));
    let json = serde_json::Value::from(word).to_string();
    let json = json.trim_matches('"').to_owned();
    let ascii: String = json.encode_utf16().map(ascii_of).collect();
    let html = word.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let mut forms = vec![
        word.to_owned(),
        // The text of an error is on one line.
        word.split_whitespace().collect::<Vec<_>>().join(" "),
        upper.replace("%20", "+"),
        upper,
        percent(word, |byte| format!("%{byte:02x}")),
        json.replace('/', "\\/"),
        json,
        ascii,
        html.replace('\'', "&#39;"),
        html.replace('\'', "&#x27;"),
        STANDARD.encode(word),
        STANDARD_NO_PAD.encode(word),
        URL_SAFE.encode(word),
        URL_SAFE_NO_PAD.encode(word),
    ];
    // Gateways print an encoded credential inside JSON or a URL, too.
    let standard = STANDARD.encode(word);
    forms.extend([standard.replace('/', "\\/"), percent(&standard, |byte| format!("%{byte:02X}"))]);
    let hex = hex(word.as_bytes());
    forms.extend([hex.to_ascii_uppercase(), hex]);
    forms.retain(|form| !form.is_empty());
    forms
}

/// Escapes a character that JSON may escape although it need not.
fn ascii_of(unit: u16) -> String {
    match u8::try_from(unit) {
        Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
        _ => format!("\\u{unit:04x}"),
    }
}

fn percent(word: &str, escape: impl Fn(u8) -> String) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    word.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { escape(byte) }).collect()
}

fn masked(error: String, forms: &[String]) -> String {
    let clean = forms.iter().fold(error, |error, form| error.replace(form, MASK));
    // A text that was cut may end within a word.
    let Some(rest) = clean.strip_suffix(MASK) else { return clean };
    let begun = forms.iter().filter_map(|form| {
        let ends = form.char_indices().map(|(at, _)| at).filter(|at| *at >= TELLING);
        ends.filter(|at| rest.ends_with(&form[..*at])).max()
    });
    match begun.max() {
        Some(length) => format!("{}{MASK}", &rest[..rest.len() - length]),
        None => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::{basic, without};
    use crate::core::lifecycle::outcome::{Outcome, Reaction};

    fn clean(error: &str, words: &[&str]) -> String {
        match without(Outcome::Unknown { error: error.to_owned() }, words.iter().copied()) {
            Outcome::Unknown { error } => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn errors_contain_no_phone_and_no_credential() {
        let words = || ["hunter2", "+237671000001", "237671000001", ""].into_iter();
        let text = || "answered 400: +237671000001 (237671000001) by hunter2".to_owned();
        let refused = without(Outcome::refused(text(), Reaction::FailDay), words());
        assert_eq!(refused, Outcome::refused("answered 400: … (…) by …", Reaction::FailDay));
        let unknown = without(Outcome::Unknown { error: text() }, words());
        assert_eq!(unknown, Outcome::Unknown { error: "answered 400: … (…) by …".to_owned() });
    }

    #[test]
    fn a_secret_is_masked_in_every_encoding() {
        let secret = "p&ss/w\"rd é+1";
        let credential = basic("u", secret);
        for echoed in [
            credential.as_str(),
            "p%26ss%2Fw%22rd%20%C3%A9%2B1",
            "p%26ss%2fw%22rd%20%c3%a9%2b1",
            "p%26ss%2Fw%22rd+%C3%A9%2B1",
            "p&ss/w\\\"rd é+1",
            "p&ss\\/w\\\"rd é+1",
            "p&ss/w\\\"rd \\u00e9+1",
            "p&amp;ss/w&quot;rd é+1",
            "cCZzcy93InJkIMOpKzE=",
            "cCZzcy93InJkIMOpKzE",
        ] {
            let error = clean(&format!("answered 400: got `{echoed}` here"), &[secret, &credential]);
            assert_eq!(error, "answered 400: got `…` here", "{echoed}");
        }
    }

    #[test]
    fn a_cut_text_ends_with_no_part_of_a_secret() {
        assert_eq!(clean("answered 400: apikey TOPSECR…", &["TOPSECRETKEY"]), "answered 400: apikey …");
        assert_eq!(clean("answered 400: it is TOP…", &["TOPSECRETKEY"]), "answered 400: it is TOP…");
    }
}
