//! Parsers for single values.

use chrono::TimeDelta;

use super::columns::Cell;
use super::time::Times;
use crate::core::consent::answer;
use crate::core::domain::{Consent, Stated, Timestamp, WhatsappStatus, fold};

/// The length limit of a value, in bytes.
const MAX_VALUE: usize = 8 * 1024;
/// The length limit of an id, in bytes: it must fit in an index.
const MAX_ID: usize = 200;
/// The most that the clock of a source may be ahead of the database's.
const CLOCK_SKEW: TimeDelta = TimeDelta::days(1);

/// The beginnings of cells whose formula failed.
const FORMULA_ERRORS: [&str; 11] =
    ["#N/A", "#NA", "#NAME?", "#NOM?", "#REF!", "#VALUE!", "#VALEUR!", "#DIV/0!", "#NUM!", "#NULL!", "#####"];

/// Returns the value without surrounding blanks.
pub(super) fn text<'a, C>(cell: &Cell<'a, C>) -> Result<&'a str, String> {
    if cell.broken {
        return Err("not text".to_owned());
    }
    if cell.text.len() > MAX_VALUE {
        return Err(format!("longer than {MAX_VALUE} bytes"));
    }
    if cell.text.contains('\0') {
        return Err("holds a NUL character".to_owned());
    }
    Ok(cell.text.trim())
}

/// Returns the value of a column that does not accept a JSON number or boolean as text.
pub(super) fn written<'a, C>(cell: &Cell<'a, C>) -> Result<&'a str, String> {
    if cell.plain {
        return Err("a JSON number or boolean, where text belongs: put it in quotes".to_owned());
    }
    let text = text(cell)?;
    if text.starts_with('#') && FORMULA_ERRORS.iter().any(|error| text.starts_with(error)) {
        return Err("the error of a formula, not a value: correct the cell in the spreadsheet".to_owned());
    }
    Ok(text)
}

pub(super) fn id<'a, C>(cell: &Cell<'a, C>) -> Result<&'a str, String> {
    let text = text(cell)?;
    if text.is_empty() {
        return Err("missing".to_owned());
    }
    if text.len() > MAX_ID {
        return Err(format!("longer than {MAX_ID} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err("holds a control character".to_owned());
    }
    if is_rounded(text) {
        return Err(
            "scientific notation, in which a spreadsheet has dropped digits: format the column as text".to_owned()
        );
    }
    if cell.plain && !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err("neither text nor a whole number".to_owned());
    }
    Ok(text)
}

/// Returns true for `1.23457E+14`, which stands for many numbers.
fn is_rounded(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let parts = text.split_once(['E', 'e']).and_then(|(number, power)| Some((number, power.strip_prefix('+')?)));
    parts.is_some_and(|(number, power)| is_number(&number.replacen(['.', ','], "", 1)) && is_number(power))
}

/// Parses an optional value.
pub(super) fn given<'a, C, T>(
    cell: &Cell<'a, C>,
    parse: impl FnOnce(&'a str) -> Result<T, String>,
) -> Result<Stated<T>, String> {
    match written(cell)? {
        "" => Ok(Stated::Empty),
        text => parse(text).map(Stated::Value),
    }
}

/// Parses a required value.
pub(super) fn must<'a, C, T>(
    cell: &Cell<'a, C>,
    parse: impl FnOnce(&'a str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    match written(cell)? {
        "" => Err("missing".to_owned()),
        text => parse(text).map(Some),
    }
}

pub(super) fn attribute<'a, C>(cell: &Cell<'a, C>) -> Result<(&'a str, Option<&'a str>), String> {
    let text = text(cell)?;
    Ok((cell.name, (!text.is_empty()).then_some(text)))
}

/// Parses the age that a row states for itself. A future age would keep all later rows out, so it is refused.
pub(super) fn updated_at<C>(cell: &Cell<'_, C>, times: Times<'_>, now: Timestamp) -> Result<Option<Timestamp>, String> {
    match given(cell, |text| times.instant(text))?.value() {
        Some(at) if *at > now + CLOCK_SKEW => Err("a time in the future".to_owned()),
        at => Ok(at.copied()),
    }
}

/// Checks that mail could be addressed to the text. Only mail itself can tell if it arrives.
pub(super) fn email(text: &str) -> Result<&str, String> {
    let refuse = || "not an e-mail address".to_owned();
    let (local, domain) = text.rsplit_once('@').ok_or_else(refuse)?;
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let sound = (1..=64).contains(&local.len())
        && text.len() <= 254
        && !local.contains(|c: char| c.is_whitespace() || c.is_control() || "@,;:<>()[]\\\"".contains(c))
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && domain.contains('.')
        && domain.split('.').all(label);
    if sound { Ok(text) } else { Err(refuse()) }
}

/// Parses a consent answer; `Empty` means that the answer is unknown.
pub(super) fn consent(text: &str) -> Result<Stated<Consent>, String> {
    answer(text).ok_or_else(|| "neither yes nor no: use `opted_in`, `opted_out`, or leave it empty".to_owned())
}

pub(super) fn whatsapp_status(text: &str) -> Result<WhatsappStatus, String> {
    match fold(text).as_str() {
        "connected" => Ok(WhatsappStatus::Connected),
        "disconnected" => Ok(WhatsappStatus::Disconnected),
        "expired" => Ok(WhatsappStatus::Expired),
        _ => Err("not a status: use `connected`, `disconnected` or `expired`, or leave it empty".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{consent, email};
    use crate::core::domain::{Consent, Stated};

    #[test]
    fn addresses() {
        for good in ["ref-00000001@example.com", "a.b+c@sub.example.co", "é@exämple.fr", "o'neil@x.io"] {
            assert!(email(good).is_ok(), "{good}");
        }
        for bad in
            ["a", "a@", "@x.com", "a@x", "a b@x.com", "a@x..com", "a@-x.com", "a@b@x.com", "a..b@x.com", "a@x,com"]
        {
            assert!(email(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn answers() {
        assert_eq!(consent("Opted-Out"), Ok(Stated::Value(Consent::OptedOut)));
        assert_eq!(consent("unknown"), Ok(Stated::Empty));
        assert_eq!(consent("oui"), Ok(Stated::Value(Consent::OptedIn)));
        assert!(consent("perhaps").is_err());
    }
}
