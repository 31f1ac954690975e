//! Phone numbers.

use std::fmt;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};
use serde::{Deserialize, Serialize};

use super::Country;

/// The limit of digits in any notation: E.164 has 15, and `00` and a trunk zero may precede them.
const MAX_DIGITS: usize = 20;

/// A phone number in E.164: `+` and at most 15 digits. It is text, never a number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Phone(String);

impl Phone {
    /// Parses a number in any common notation. It accepts E.164, `00` for `+` in every country, a missing `+`, and the
    /// national form of `country`. Digits may be of any script, with spaces, dashes, dots and parentheses.
    ///
    /// The national form is tried first. Digits that begin with the country's own calling code count as international
    /// only if they are no valid national number.
    ///
    /// # Errors
    /// Returns a sentence with the reason, which never contains the number.
    pub fn parse(text: &str, country: Option<Country>) -> Result<Self, String> {
        let digits = plain(text)?;
        if digits.starts_with('+') {
            return international(&digits)
                .ok_or_else(|| "no valid phone number has these digits after its calling code".to_owned());
        }
        let Some(country) = country else {
            return Err("without a country a phone number must begin with `+` and the calling code".to_owned());
        };
        let region = Region::from_code(country.as_str()).ok();
        let calling_code = region.and_then(|region| PHONE_NUMBER_UTIL.get_country_code_for_region(region));
        region
            .and_then(|region| valid(&digits, Some(region)))
            .or_else(|| {
                let full = digits.starts_with(&calling_code?.to_string()).then(|| format!("+{digits}"))?;
                international(&full)
            })
            .ok_or_else(|| format!("not a valid phone number of `{country}`"))
    }

    /// Wraps a stored number without checking it again.
    pub fn trusted(stored: String) -> Self {
        Self(stored)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the masked form for logs: `+2376*****01`.
    pub fn masked(&self) -> String {
        let (head, tail) = (self.0.get(..5).unwrap_or("+"), self.0.get(5..).unwrap_or(""));
        let last = tail.len().checked_sub(2).filter(|start| *start >= 3).and_then(|start| tail.get(start..));
        format!("{head}*****{}", last.unwrap_or(""))
    }
}

/// Returns the digits of `text` in ASCII, with a leading `+` if the text begins with `+` or `00`.
fn plain(text: &str) -> Result<String, String> {
    let mut digits = String::with_capacity(text.len() + 1);
    // Spreadsheets put an apostrophe before text that looks like a number.
    for c in text.trim().trim_start_matches('\'').chars() {
        match c {
            '+' | '＋' if digits.is_empty() => digits.push('+'),
            c if digit(c).is_some() => digits.extend(digit(c)),
            c if c.is_whitespace() || filler(c) => {}
            _ => {
                return Err("not a phone number: it may hold digits, a leading `+`, spaces and `-.()/` only".to_owned());
            }
        }
        if digits.len() > MAX_DIGITS {
            return Err("too many digits for a phone number".to_owned());
        }
    }
    let number = digits.trim_start_matches('+');
    if number.is_empty() {
        return Err("no digits in it".to_owned());
    }
    Ok(match number.strip_prefix("00") {
        Some(rest) => format!("+{rest}"),
        None => digits,
    })
}

fn digit(c: char) -> Option<char> {
    let zero = match c {
        '0'..='9' => return Some(c),
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6f0}'..='\u{6f9}' => 0x6f0,
        '\u{966}'..='\u{96f}' => 0x966,
        '\u{ff10}'..='\u{ff19}' => 0xff10,
        _ => return None,
    };
    char::from_digit(u32::from(c) - zero, 10)
}

/// Returns true for punctuation between digits, and for the invisible marks that phones add to copied numbers.
fn filler(c: char) -> bool {
    matches!(c, '-' | '.' | '(' | ')' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ad}' | '\u{feff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
}

fn international(digits: &str) -> Option<Phone> {
    valid(digits, None)
}

fn valid(digits: &str, region: Option<Region>) -> Option<Phone> {
    let number = PHONE_NUMBER_UTIL.parse(digits, region).ok()?;
    PHONE_NUMBER_UTIL
        .is_valid_number(&number)
        .then(|| Phone(PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned()))
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Phone {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text, None)
    }
}

impl From<Phone> for String {
    fn from(phone: Phone) -> Self {
        phone.0
    }
}

#[cfg(test)]
mod tests {
    use super::Phone;
    use crate::core::domain::Country;

    fn parse(text: &str, country: &str) -> Result<String, String> {
        Phone::parse(text, Some(Country::parse(country).unwrap())).map(|phone| phone.0)
    }

    #[test]
    fn reads_the_ways_people_write_one_number() {
        for text in [
            "+237671697846",
            "+237 6 71 69 78 46",
            "00237671697846",
            "+00237671697846",
            "237671697846",
            "6 71 69 78 46",
            "+237 671697846 ",
            "\u{a0}+237\u{202f}671\u{2011}69\u{2011}78\u{2011}46",
            "(+237) 671.69.78.46",
            "\u{202a}+237671697846\u{202c}",
            "'671697846",
            "٦٧١٦٩٧٨٤٦",
            "۶۷۱۶۹۷۸۴۶",
            "+٢٣٧ ٦٧١ ٦٩٧ ٨٤٦",
        ] {
            assert_eq!(parse(text, "CM").as_deref(), Ok("+237671697846"), "{text}");
        }
    }

    #[test]
    fn a_double_zero_is_a_plus_whatever_the_country_dials() {
        assert_eq!(parse("002348026131860", "NG").as_deref(), Ok("+2348026131860"));
        assert_eq!(parse("0016135550123", "CA").as_deref(), Ok("+16135550123"));
        assert_eq!(parse("0033612345678", "CM").as_deref(), Ok("+33612345678"));
    }

    #[test]
    fn national_forms() {
        assert_eq!(parse("0802 613 1860", "NG").as_deref(), Ok("+2348026131860"));
        assert_eq!(parse("06 12 34 56 78", "FR").as_deref(), Ok("+33612345678"));
        assert_eq!(parse("+33 (0)6 12 34 56 78", "CM").as_deref(), Ok("+33612345678"));
        assert_eq!(parse("(613) 555-0123", "CA").as_deref(), Ok("+16135550123"));
        assert_eq!(parse("0195256517", "BJ").as_deref(), Ok("+2290195256517"));
    }

    #[test]
    fn accident_02_a_phone_is_never_a_number() {
        for bad in ["2.37671697846E+11", "2.37671697846E11", "237671697846.0", "12345", "not a phone", "", "+", "00"] {
            assert!(parse(bad, "CM").is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Phone>("237671697846").is_err());
        let phone: Phone = serde_json::from_str("\"+237671697846\"").unwrap();
        assert_eq!(serde_json::to_string(&phone).unwrap(), "\"+237671697846\"");
    }

    #[test]
    fn without_a_country_only_a_full_number_will_do() {
        assert!(Phone::parse("671697846", None).is_err());
        assert!(Phone::parse("237671697846", None).is_err());
        assert_eq!(Phone::parse("00237671697846", None).map(|phone| phone.0).as_deref(), Ok("+237671697846"));
        assert!(serde_json::from_str::<Phone>("\"671697846\"").is_err());
    }

    #[test]
    fn a_number_of_another_country_needs_its_plus() {
        assert!(parse("33612345678", "CM").is_err());
        assert_eq!(parse("+33612345678", "CM").as_deref(), Ok("+33612345678"));
    }

    #[test]
    fn a_mask_shows_the_country_and_the_end() {
        assert_eq!(Phone::trusted("+237671697801".into()).masked(), "+2376*****01");
        assert_eq!(Phone::trusted("+12345".into()).masked(), "+1234*****");
    }
}
