//! Phone numbers.
//!
//! One handset may have several numbers and notations. Its one normal form is stored, compared and searched for.
//! [`plans`] translates numbers of older plans, and [`written`] reads notations.

mod plans;
mod written;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};
use serde::{Deserialize, Serialize};

use super::Country;

/// The minimum number of digits after the calling code for [`Phone::alike`].
const SHORTEST_LINE: usize = 6;

/// A phone number in E.164: `+` and at most 15 digits. It is text, never a number.
///
/// Two numbers are equal if they reach one handset, in whatever way they were written. The text is the normal form.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Phone {
    normal: String,
    /// The number to dial, in its present plan, if it is not the normal form.
    dialled: Option<String>,
}

impl Phone {
    /// Parses a number in any common notation. It accepts E.164, `00` for `+` in every country, a missing `+`, and the
    /// national form of `country`. Digits may be Western, Arabic, Persian, Devanagari or full-width, with spaces and
    /// `-.()/` between them. It accepts numbers of older numbering plans, and returns the present ones.
    ///
    /// The national form is tried first. Digits that begin with the country's own calling code count as international
    /// only if they are no valid national number.
    ///
    /// # Errors
    /// Returns a sentence with the reason, which never contains the number.
    pub fn parse(text: &str, country: Option<Country>) -> Result<Self, String> {
        let digits = written::digits(text)?;
        if let Some(full) = digits.strip_prefix('+') {
            let why = "no valid phone number has these digits after its calling code".to_owned();
            return international(full).ok_or_else(|| advised(why, full));
        }
        let Some(country) = country else {
            return Err("without a country a phone number must begin with `+` and the calling code".to_owned());
        };
        let region = Region::from_code(country.as_str()).ok();
        let code = region.and_then(|region| PHONE_NUMBER_UTIL.get_country_code_for_region(region));
        let code = code.map(|code| code.to_string()).unwrap_or_default();
        let full = Some(digits.as_str()).filter(|digits| !code.is_empty() && digits.starts_with(&code));
        let national = |line: &str| if code.is_empty() { None } else { older(&format!("{code}{line}")) };
        region
            .and_then(|region| valid(&digits, Some(region)))
            .or_else(|| valid(&format!("+{}", full?), None))
            .map(Self::reached)
            .or_else(|| national(&digits))
            .or_else(|| national(digits.trim_start_matches('0')))
            .or_else(|| older(full?))
            .ok_or_else(|| advised(format!("not a valid phone number of `{country}`"), &format!("{code}{digits}")))
    }

    /// Reads a number as a provider reports it: all digits, with or without a `+`.
    pub fn reported(text: &str) -> Option<Self> {
        let digits = written::digits(text).ok()?;
        international(digits.trim_start_matches('+'))
    }

    /// Returns further numbers that reported digits may stand for, beside the number of [`Phone::reported`].
    pub fn alike(text: &str) -> BTreeSet<Self> {
        let Ok(digits) = written::digits(text) else { return BTreeSet::new() };
        let digits = digits.trim_start_matches('+');
        if international(digits).is_some() {
            return plans::with_ninth_digit(digits).and_then(|digits| checked(&digits)).into_iter().collect();
        }
        let code = (1..=3).find(|end| {
            let code = digits.get(..*end).and_then(|code| code.parse().ok());
            code.is_some_and(|code| PHONE_NUMBER_UTIL.get_region_for_country_code(code).is_some())
        });
        match code.filter(|code| digits.len() >= code + SHORTEST_LINE) {
            Some(code) => plans::alike(digits, code).filter_map(|digits| checked(&digits)).collect(),
            None => BTreeSet::new(),
        }
    }

    /// Wraps a stored normal form without checking it again.
    pub fn trusted(stored: String) -> Self {
        Self { normal: stored, dialled: None }
    }

    /// Wraps a stored number that was valid in E.164, whatever its form.
    pub fn dialled_as(stored: &str) -> Self {
        Self::reached(stored.to_owned())
    }

    /// Adds the number to dial to a stored normal form.
    #[must_use]
    pub fn dialling(self, dialled: Option<String>) -> Self {
        Self { dialled, ..self }
    }

    /// Returns the normal form.
    pub fn as_str(&self) -> &str {
        &self.normal
    }

    /// Returns the number to hand to a provider: the number that was written, in its present plan.
    pub fn dialled(&self) -> &str {
        self.dialled.as_deref().unwrap_or(&self.normal)
    }

    /// Returns [`Phone::dialled`] if it is not the normal form.
    pub fn other_dialled(&self) -> Option<&str> {
        self.dialled.as_deref()
    }

    /// Returns the digits by which providers may call the handset: the present ones, and those of older plans.
    pub fn spellings(&self) -> BTreeSet<String> {
        let digits = |number: &str| number.trim_start_matches('+').to_owned();
        let present = [digits(&self.normal), digits(self.dialled())];
        present.into_iter().chain(plans::older_forms(self.normal.trim_start_matches('+'))).collect()
    }

    /// Returns the masked form for logs: `+2376*****01`.
    pub fn masked(&self) -> String {
        let (head, tail) = (self.normal.get(..5).unwrap_or("+"), self.normal.get(5..).unwrap_or(""));
        let last = tail.len().checked_sub(2).filter(|start| *start >= 3).and_then(|start| tail.get(start..));
        format!("{head}*****{}", last.unwrap_or(""))
    }

    /// Returns the phone of a valid number in E.164.
    fn reached(e164: String) -> Self {
        let digits = e164.trim_start_matches('+');
        let present = plans::renumbered_though_valid(digits).and_then(|digits| valid(&format!("+{digits}"), None));
        let dialled = present.unwrap_or(e164);
        match plans::same_handset(dialled.trim_start_matches('+')) {
            Some(normal) => Self { normal: format!("+{normal}"), dialled: Some(dialled) },
            None => Self { normal: dialled, dialled: None },
        }
    }
}

/// Reads the digits of a number with its calling code.
fn international(digits: &str) -> Option<Phone> {
    checked(digits).or_else(|| older(digits))
}

/// Reads digits that may be of an older plan.
fn older(digits: &str) -> Option<Phone> {
    checked(&plans::renumbered(digits)?)
}

fn checked(digits: &str) -> Option<Phone> {
    // The normal form is not checked, because the library accepts some Argentine numbers in one form only.
    valid(&format!("+{digits}"), None).map(Phone::reached)
}

/// Returns the number in E.164, if the library takes it for valid.
fn valid(digits: &str, region: Option<Region>) -> Option<String> {
    let number = PHONE_NUMBER_UTIL.parse(digits, region).ok()?;
    PHONE_NUMBER_UTIL
        .is_valid_number(&number)
        .then(|| PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned())
}

/// Adds advice to the reason if the number may be of an older plan.
fn advised(reason: String, digits: &str) -> String {
    if plans::may_be_older(digits) {
        return format!("{reason}; its numbering plan has changed: write the number as it is dialled today");
    }
    reason
}

impl PartialEq for Phone {
    fn eq(&self, other: &Self) -> bool {
        self.normal == other.normal
    }
}

impl Eq for Phone {}

impl PartialOrd for Phone {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Phone {
    fn cmp(&self, other: &Self) -> Ordering {
        self.normal.cmp(&other.normal)
    }
}

impl Hash for Phone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.normal.hash(state);
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.normal)
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
        phone.normal
    }
}

#[cfg(test)]
mod tests;
