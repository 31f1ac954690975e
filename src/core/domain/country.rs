//! Country codes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::Zone;

/// The countries with one time, each with its zone: those of `zone.tab` of the IANA database (2025b) whose zones have
/// equal offsets from 2026 to 2029.
static ZONES: LazyLock<BTreeMap<Country, Zone>> = LazyLock::new(|| {
    let pairs = include_str!("country_zones.tsv").lines().filter_map(|line| line.split_once('\t'));
    pairs.filter_map(|(code, zone)| Some((Country::parse(code).ok()?, Zone::parse(zone).ok()?))).collect()
});

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

    /// Returns the time zone of the country if its clocks all show the same time.
    pub fn only_zone(self) -> Option<&'static Zone> {
        ZONES.get(&self)
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
    fn a_country_has_one_zone_only_if_its_clocks_agree() {
        let zone = |code: &str| Country::parse(code).unwrap().only_zone().map(super::Zone::as_str);
        assert_eq!(
            ["CM", "FR", "MA", "DE", "NP"].map(zone),
            [
                Some("Africa/Douala"),
                Some("Europe/Paris"),
                Some("Africa/Casablanca"),
                Some("Europe/Berlin"),
                Some("Asia/Kathmandu"),
            ]
        );
        assert_eq!(["US", "BR", "CD", "ES", "ID"].map(zone), [None; 5]);
        // Every line of the list is a country and a zone.
        assert_eq!(super::ZONES.len(), include_str!("country_zones.tsv").lines().count());
    }

    #[test]
    fn country_codes_ignore_case_and_unknown_codes_are_refused() {
        assert_eq!(Country::parse("cm").unwrap().as_str(), "CM");
        for bad in ["", "XX", "CMR", "Cameroun", "é"] {
            assert!(Country::parse(bad).is_err(), "{bad}");
        }
    }
}
