//! The schema of `kind: Filter`, and of `filter` in a campaign.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::domain::{Country, Gender, Language, Moment, Zone, fold};
use crate::core::manifest::desired::{Filter, Subscription};
use crate::core::manifest::syntax::document::Document;

/// The conditions that people must meet, all at once. A condition left out does not restrict.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct FilterSpec {
    /// The countries of people, as ISO 3166-1 alpha-2 codes.
    #[schemars(length(min = 1))]
    pub(in crate::core::manifest) countries: Option<Vec<Country>>,
    pub(in crate::core::manifest) registered: Option<Registered>,
    /// The gender of people; `all` by default.
    pub(in crate::core::manifest) gender: Option<GenderSpec>,
    /// The professions of people, compared without case or accents.
    #[schemars(length(min = 1))]
    pub(in crate::core::manifest) professions: Option<Vec<String>>,
    pub(in crate::core::manifest) age: Option<Age>,
    /// The payment status of people; `unpaid` by default.
    pub(in crate::core::manifest) subscription: Option<Subscription>,
    /// `true` leaves out people who are active in another run of the same account; false by default.
    pub(in crate::core::manifest) exclude_current_targets: Option<bool>,
    /// The languages of people, as BCP 47 tags; `fr` also matches `fr-CM`.
    #[schemars(length(min = 1))]
    pub(in crate::core::manifest) languages: Option<Vec<Language>>,
    /// Exact values of extra columns of the import.
    #[schemars(length(min = 1))]
    pub(in crate::core::manifest) attributes: Option<BTreeMap<String, String>>,
}

/// The time of registration. Times without an offset are local to the account.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::core::manifest) struct Registered {
    /// The earliest time, included.
    pub(in crate::core::manifest) from: Option<Moment>,
    /// The latest time, excluded.
    pub(in crate::core::manifest) to: Option<Moment>,
}

/// The age in whole years, both ends included. People whose birth date is unknown do not match.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::core::manifest) struct Age {
    /// The lowest age, included.
    #[schemars(range(min = 0, max = 150))]
    pub(in crate::core::manifest) min: Option<u16>,
    /// The highest age, included.
    #[schemars(range(min = 0, max = 150))]
    pub(in crate::core::manifest) max: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::core::manifest) enum GenderSpec {
    Male,
    Female,
    Other,
    All,
}

impl FilterSpec {
    /// Reports ranges that match nobody; `at` is the JSON pointer of the filter.
    pub(in crate::core::manifest) fn check(&self, document: &Document<'_>, at: &str, found: &mut Vec<Diagnostic>) {
        if let Some(Age { min: Some(min), max: Some(max) }) = self.age
            && min > max
        {
            let place = document.place(&format!("{at}/age/min"));
            let message = format!("`age.min` is {min} and `age.max` is {max}: nobody matches");
            found.push(Diagnostic::new(Code::EmptyAgeRange, place, message).help("swap the two"));
        }
        if let Some(Registered { from: Some(from), to: Some(to) }) = self.registered
            && from.at(&Zone::utc()) >= to.at(&Zone::utc())
        {
            let place = document.place(&format!("{at}/registered/to"));
            let message = "`registered.to` is not after `registered.from`: nobody matches";
            let help = "`to` is not included: for one whole day, write the next day there";
            found.push(Diagnostic::new(Code::EmptyRegistrationRange, place, message).help(help));
        }
    }

    pub(in crate::core::manifest) fn resolve(&self) -> Filter {
        let sorted = |mut words: Vec<String>| {
            words.sort_unstable();
            words.dedup();
            words
        };
        let mut countries = self.countries.clone().unwrap_or_default();
        countries.sort_unstable();
        countries.dedup();
        let mut languages = self.languages.clone().unwrap_or_default();
        languages.sort_unstable();
        languages.dedup();
        Filter {
            countries,
            registered_from: self.registered.and_then(|r| r.from),
            registered_to: self.registered.and_then(|r| r.to),
            gender: self.gender.and_then(|gender| match gender {
                GenderSpec::Male => Some(Gender::Male),
                GenderSpec::Female => Some(Gender::Female),
                GenderSpec::Other => Some(Gender::Other),
                GenderSpec::All => None,
            }),
            professions: sorted(self.professions.iter().flatten().map(|word| fold(word)).collect()),
            age_min: self.age.and_then(|age| age.min),
            age_max: self.age.and_then(|age| age.max),
            subscription: self.subscription.unwrap_or_default(),
            exclude_current_targets: self.exclude_current_targets.unwrap_or_default(),
            languages,
            attributes: self.attributes.clone().unwrap_or_default(),
        }
    }
}
