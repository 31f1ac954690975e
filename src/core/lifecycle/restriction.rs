//! Restrictions that providers report for a template, a number or an account, and the campaigns they apply to.
//!
//! The last report of a provider counts. A restriction applies as long as it lasts. A run that uses a restricted
//! template pauses, whichever revision introduced the template. It continues when the provider, or a person, lifts the
//! restriction.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::detail::Detail;
use super::send_resources::{Shared, Template};
use crate::core::domain::Timestamp;

/// The subject that a provider may restrict.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A template in one language, or in all languages.
    Template { name: String, language: Option<String> },
    /// A number, by the digits that people dial or by its id.
    Number(String),
    /// An account at the provider, by its id there.
    Business(String),
}

/// A provider's last report about a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restriction {
    /// The channel that received the report.
    pub channel: String,
    pub subject: Subject,
    pub said_at: Timestamp,
    /// True if the provider sends nothing with the subject; false if the restriction is lifted.
    pub is_stopped: bool,
    /// The instant at which the restriction ends by itself.
    pub until: Option<Timestamp>,
    pub detail: Detail,
}

/// The other names of a number that a channel uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    pub digits: Option<String>,
    /// The account at the provider to which the number belongs.
    pub business: Option<String>,
}

/// All reports of providers, and the known numbers by channel and id.
#[derive(Debug, Clone, Default)]
pub struct Restrictions {
    pub all: Vec<Restriction>,
    pub numbers: HashMap<(String, String), Known>,
    /// The known accounts at the provider behind each channel.
    pub businesses: BTreeMap<String, BTreeSet<String>>,
}

impl Restrictions {
    /// Returns true if any number or provider account is restricted.
    pub fn concern_senders(&self) -> bool {
        self.all.iter().any(|stop| stop.is_stopped && !matches!(stop.subject, Subject::Template { .. }))
    }

    /// Returns the restriction of the first restricted template among `templates` on `channel`.
    pub fn of_templates<'a>(
        &self,
        channel: &str,
        mut templates: impl Iterator<Item = &'a Template>,
    ) -> Option<&Restriction> {
        templates.find_map(|template| self.of_template(channel, template))
    }

    /// Returns the restriction of a template.
    ///
    /// The last report counts, for all languages or for this one; of two reports at the same instant, the restriction
    /// wins.
    fn of_template(&self, channel: &str, template: &Template) -> Option<&Restriction> {
        let is_it = |subject: &Subject| match subject {
            Subject::Template { name, language } => {
                *name == template.name && language.as_ref().is_none_or(|language| *language == template.language)
            }
            Subject::Number(_) | Subject::Business(_) => false,
        };
        let about = self.all.iter().filter(|stop| stop.channel == channel && is_it(&stop.subject));
        about.max_by_key(|stop| (stop.said_at, stop.is_stopped)).filter(|stop| stop.is_stopped)
    }

    /// Returns the restriction of a sender's number on `channel`, or of the provider account behind it.
    ///
    /// `own` is the sender's number; without one, the sender uses the channel's shared number.
    pub fn of_sender(&self, channel: &str, own: Option<&str>, shared: Option<&Shared>) -> Option<&Restriction> {
        let number = own.or(shared.and_then(|shared| shared.number.as_deref()));
        let known = number.and_then(|number| self.numbers.get(&(channel.to_owned(), number.to_owned())));
        let concerns = |stop: &&Restriction| match &stop.subject {
            Subject::Template { .. } => false,
            Subject::Number(name) => {
                number == Some(name) || known.and_then(|known| known.digits.as_ref()) == Some(name)
            }
            Subject::Business(business) => {
                let known = known.and_then(|known| known.business.as_ref());
                // An unknown number has the provider account that the manifest names. If it names none, the restriction
                // applies unless the channel has another account.
                match known.or_else(|| shared.and_then(|shared| shared.business.as_ref())) {
                    Some(its) => its == business,
                    None => self.businesses.get(channel).is_none_or(|all| all.iter().all(|one| one == business)),
                }
            }
        };
        self.all.iter().filter(|stop| stop.is_stopped && stop.channel == channel).find(concerns)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, HashMap};

    use super::{Detail, Known, Restriction, Restrictions, Subject};
    use crate::core::domain::Timestamp;
    use crate::core::lifecycle::send_resources::{Shared, Template};

    fn at(minute: u32) -> Timestamp {
        format!("2026-12-01T08:{minute:02}:00Z").parse().unwrap()
    }

    fn stop(subject: Subject, minute: u32, is_stopped: bool) -> Restriction {
        let (channel, detail) = ("wa".to_owned(), Detail::None);
        Restriction { channel, subject, said_at: at(minute), is_stopped, until: None, detail }
    }

    fn template(language: Option<&str>) -> Subject {
        Subject::Template { name: "welcome".to_owned(), language: language.map(str::to_owned) }
    }

    #[test]
    fn the_newest_template_restriction_wins_per_language() {
        let french = Template { name: "welcome".to_owned(), language: "fr".to_owned() };
        let is_stopped = |all: Vec<Restriction>, channel: &str| {
            Restrictions { all, ..Restrictions::default() }.of_templates(channel, [&french].into_iter()).is_some()
        };
        assert!(is_stopped(vec![stop(template(Some("fr")), 1, true)], "wa"));
        assert!(is_stopped(vec![stop(template(None), 1, true)], "wa"));
        assert!(!is_stopped(vec![stop(template(Some("fr")), 1, true)], "other"));
        assert!(!is_stopped(vec![stop(template(Some("en")), 1, true)], "wa"));
        assert!(!is_stopped(vec![stop(template(None), 1, true), stop(template(Some("fr")), 2, false)], "wa"));
        assert!(is_stopped(vec![stop(template(Some("fr")), 2, true), stop(template(None), 1, false)], "wa"));
        assert!(is_stopped(vec![stop(template(Some("fr")), 1, true), stop(template(None), 1, false)], "wa"));
    }

    #[test]
    fn a_restriction_affects_senders_by_number_and_business() {
        let number = |id: &str| ("wa".to_owned(), id.to_owned());
        let known = |digits: &str, business: &str| Known {
            digits: Some(digits.to_owned()),
            business: Some(business.to_owned()),
        };
        let numbers = HashMap::from([(number("901"), known("237", "one")), (number("902"), known("238", "two"))]);
        let shared =
            |business: Option<&str>| Shared { number: Some("100".to_owned()), business: business.map(str::to_owned) };
        let concerned = |subject: Subject, known: &[&str], business: Option<&str>| {
            let known: BTreeSet<String> = known.iter().map(|one| (*one).to_owned()).collect();
            let businesses = BTreeMap::from([("wa".to_owned(), known)]);
            let stops = Restrictions { all: vec![stop(subject, 1, true)], numbers: numbers.clone(), businesses };
            let shared = shared(business);
            let senders = [Some("901"), Some("902"), Some("903"), None];
            senders.map(|own| stops.of_sender("wa", own, Some(&shared)).is_some())
        };
        assert_eq!(concerned(Subject::Number("237".to_owned()), &["one"], None), [true, false, false, false]);
        assert_eq!(concerned(Subject::Number("903".to_owned()), &["one"], None), [false, false, true, false]);
        assert_eq!(concerned(Subject::Number("100".to_owned()), &["one"], None), [false, false, false, true]);
        let business = |text: &str| Subject::Business(text.to_owned());
        // The manifest names the provider account of an unknown number, or the channel has only one.
        assert_eq!(concerned(business("one"), &["one", "two"], None), [true, false, false, false]);
        assert_eq!(concerned(business("one"), &["one"], None), [true, false, true, true]);
        assert_eq!(concerned(business("one"), &["one"], Some("two")), [true, false, false, false]);
        assert_eq!(concerned(business("two"), &["one", "two"], Some("two")), [false, true, true, true]);
        assert_eq!(concerned(template(None), &[], None), [false; 4]);
    }
}
