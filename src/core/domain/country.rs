//! Country codes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An ISO 3166-1 alpha-2 code of an existing country, in upper case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country([u8; 2]);

impl Country {
    /// Parses a code in either case.
    ///
    /// # Errors
    /// Returns a sentence that names the code.
    pub fn parse(text: &str) -> Result<Self, String> {
        let code = text.to_ascii_uppercase();
        match (code.as_bytes(), rust_iso3166::from_alpha2(&code)) {
            (&[a, b], Some(_)) => Ok(Self([a, b])),
            _ => Err(format!("`{text}` is not a country: use an ISO 3166-1 alpha-2 code such as `CM`")),
        }
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a country code is ASCII")
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for Country {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::Country;

    #[test]
    fn reads_either_case_and_refuses_strangers() {
        assert_eq!(Country::parse("cm").unwrap().as_str(), "CM");
        for bad in ["", "XX", "CMR", "Cameroun", "é"] {
            assert!(Country::parse(bad).is_err(), "{bad}");
        }
    }
}
