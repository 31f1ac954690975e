//! The preview of a campaign, day by day, for a person from the database or a made-up one.
//!
//! The messages are rendered as in production. Only their time is unknown before enrollment.

use std::collections::BTreeMap;

use crate::core::dispatch::program::{CampaignProgram, Fault, Recipient, Referrer, Rendered, SpokenBy};
use crate::core::domain::{Country, Language, Period};

/// The referrer's name in messages to the made-up person.
pub const MADE_UP_REFERRER: &str = "Sam Sample";

/// One day as it would be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Day {
    pub day: u16,
    /// The wait from the day before, or for day 1 from enrollment.
    pub after: Period,
    pub message: Result<Rendered, Fault>,
    /// The reason why the message is not in the person's language; `None` if it is.
    pub fallback: Option<String>,
}

/// Returns all days of `campaign` for one person, in order.
pub fn days(campaign: &CampaignProgram, to: &Recipient, from: Referrer<'_>) -> Vec<Day> {
    let day = |day| {
        let message = campaign.message(day, to, from);
        let fallback = message.as_ref().ok().and_then(|message| fallback(message.spoken_by, to, from));
        Day { day, after: campaign.cadence.after(day), message, fallback }
    };
    (1..=campaign.cadence.days()).map(day).collect()
}

/// Returns a made-up person: Alex Sample, a teacher in Cameroon who registered on 15 January 2026.
///
/// Each of `attributes` has its own name in angle quotes as its value, so that nobody takes it for real data.
pub fn made_up(language: Option<Language>, attributes: impl IntoIterator<Item = String>) -> Recipient {
    Recipient {
        name: "Alex Sample".to_owned(),
        language,
        country: Country::parse("CM").expect("a country"),
        timezone: None,
        profession: "Teacher".to_owned(),
        registered_at: "2026-01-15T12:00:00Z".parse().expect("an instant"),
        attributes: attributes.into_iter().map(|name| (name.clone(), format!("‹{name}›"))).collect::<BTreeMap<_, _>>(),
    }
}

fn fallback(spoken_by: SpokenBy, to: &Recipient, from: Referrer<'_>) -> Option<String> {
    let missing = |whose: &str, language: Option<&Language>| match language {
        Some(language) => format!("there is no text in {whose} `{language}`"),
        None => format!("{whose} language is not known"),
    };
    let persons = missing("the person's", to.language.as_ref());
    match spoken_by {
        SpokenBy::Recipient => None,
        SpokenBy::Referrer => Some(format!("the account's language: {persons}")),
        SpokenBy::Nobody if from.language.is_none() => Some(format!("the fallback language: {persons}")),
        SpokenBy::Nobody => {
            Some(format!("the fallback language: {persons}, and {}", missing("the account's", from.language)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MADE_UP_REFERRER, fallback, made_up};
    use crate::core::dispatch::program::{Referrer, SpokenBy};
    use crate::core::domain::{Language, Zone};

    #[test]
    fn a_language_fallback_states_its_reason() {
        let zone = Zone::utc();
        let tag = |tag: &str| Language::parse(tag).unwrap();
        let reason = |by, own: Option<&str>, accounts: Option<&str>| {
            let accounts = accounts.map(tag);
            let from = Referrer { name: MADE_UP_REFERRER, language: accounts.as_ref(), zone: &zone };
            fallback(by, &made_up(own.map(tag), []), from).unwrap_or_default()
        };
        let table = [
            reason(SpokenBy::Recipient, Some("fr"), None),
            reason(SpokenBy::Referrer, Some("sw"), Some("en")),
            reason(SpokenBy::Referrer, None, Some("en")),
            reason(SpokenBy::Nobody, Some("sw"), Some("ff")),
            reason(SpokenBy::Nobody, None, None),
        ];
        insta::assert_snapshot!(table.join("\n"), @"
            the account's language: there is no text in the person's `sw`
            the account's language: the person's language is not known
            the fallback language: there is no text in the person's `sw`, and there is no text in the account's `ff`
            the fallback language: the person's language is not known
            ");
    }
}
