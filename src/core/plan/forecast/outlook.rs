//! The result of a forecast.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::core::domain::{AccountId, NaiveDate, Name, Timestamp, Zone};

/// The forecast of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// The people enrolled at once.
    pub enrolled_now: u64,
    /// All people enrolled, by local day of the account.
    pub enrolled: BTreeMap<NaiveDate, u64>,
    /// The time of the first message.
    pub first_at: Option<Timestamp>,
    pub finish: Finish,
    /// The messages by local day of the account; days without messages are left out.
    pub messages: BTreeMap<NaiveDate, u32>,
    /// The limit that the run mostly waits for.
    pub limit: Limit,
}

impl Outlook {
    /// Returns true if the run sends messages and is not done at `end`. The forecast itself ignores the end of a
    /// subscription.
    pub fn outlives(&self, end: Timestamp) -> bool {
        match self.finish {
            Finish::At(at) => at > end && !self.messages.is_empty(),
            Finish::Never(why) => why == Endless::TooFar || why == Endless::Continuous,
        }
    }
}

/// The end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    At(Timestamp),
    Never(Endless),
}

impl Finish {
    pub const fn at(self) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::Never(_) => None,
        }
    }
}

/// The reason why a run has no foreseeable end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endless {
    Draft,
    Paused,
    /// A filtered run that does not end is active, so this default run stays paused.
    Preempted,
    /// A campaign ahead of the run does not end.
    Behind,
    /// Nobody matches the campaign, so the run does not begin.
    WaitingForPeople,
    /// The run does not start, because it would end after the account's subscription.
    OutlivesSubscription,
    /// The campaign no longer selects this account.
    NotSelected,
    TemplateError,
    SendingOff,
    Disconnected,
    SubscriptionExpired,
    /// The account's subscription ends before the run does.
    SubscriptionEnds,
    /// No window ever opens.
    NoWindow,
    /// A person in the run has not answered the consent question.
    ConsentMissing,
    /// Enrollment is continuous, and there is no `endAt`.
    Continuous,
    /// The account does not enroll, so it stays unknown if anybody is left to enroll.
    EnrollmentOff,
    /// The end is more than ten years ahead.
    TooFar,
}

impl Endless {
    /// Returns a sentence such as `2 runs do not end: the account is not connected`.
    pub fn sentence(self, runs: u64) -> String {
        if self == Self::WaitingForPeople {
            return match runs {
                1 => "1 run waits for people: it matches nobody".to_owned(),
                _ => format!("{runs} runs wait for people: they match nobody"),
            };
        }
        let (run, does) = if runs == 1 { ("run", "does") } else { ("runs", "do") };
        let what = if self == Self::OutlivesSubscription { "begin" } else { "end" };
        format!("{runs} {run} {does} not {what}: {}", self.as_phrase())
    }

    const fn as_phrase(self) -> &'static str {
        match self {
            Self::Draft => "the campaign is a draft",
            Self::Paused => "the campaign is paused",
            Self::Preempted => "it makes way for a filtered campaign that does not end",
            Self::WaitingForPeople => "it matches nobody",
            Self::Behind => "a campaign before it does not end",
            Self::OutlivesSubscription => "the subscription of the account ends before it would be done",
            Self::NotSelected => "the campaign is not for the account any more",
            Self::TemplateError => "a message cannot be rendered",
            Self::SendingOff => "sending is off for the account",
            Self::Disconnected => "the account is not connected",
            Self::SubscriptionExpired => "the account's subscription is over",
            Self::SubscriptionEnds => "it pauses when the subscription of the account ends",
            Self::NoWindow => "no sending window ever opens",
            Self::ConsentMissing => "somebody has not agreed to be contacted",
            Self::Continuous => "enrollment is `continuous`, without an `endAt`",
            Self::EnrollmentOff => "enrollment is off for the account",
            Self::TooFar => "not within ten years",
        }
    }
}

/// The limit that a run mostly waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// The account's daily messages, which all its runs share.
    AccountCap,
    /// The run's own daily messages.
    CampaignCap,
    /// `limits.dailyEnrollments`.
    Enrollment,
    Pace,
    /// Another run sends the same people their message of the day.
    OtherRun,
    /// The window stays closed for longer than a night.
    Window,
    /// Only the days of the sequence themselves.
    Cadence,
}

impl Limit {
    /// Returns words that follow "it waits for" or stand alone.
    pub const fn as_phrase(self) -> &'static str {
        match self {
            Self::AccountCap => "the daily cap of the account, which all its campaigns share",
            Self::CampaignCap => "the daily cap of the campaign",
            Self::Enrollment => "`limits.dailyEnrollments`",
            Self::Pace => "the pace of the account",
            Self::OtherRun => "another campaign that writes to the same people",
            Self::Window => "its sending windows",
            Self::Cadence => "nothing but the days of the sequence",
        }
    }
}

/// The forecast of one account, under one or several states of the files.
#[derive(Debug, Clone)]
pub struct Foreseen {
    pub account: AccountId,
    /// The account's name in the export.
    pub name: String,
    pub zone: Zone,
    pub subscription_ends_at: Option<Timestamp>,
    /// For each state, the runs by campaign that are not over or will be created.
    pub trees: Vec<BTreeMap<Name, Outlook>>,
    /// For each state, the runs that pause when the subscription ends, with the end that they would have otherwise.
    pub pausing: Vec<BTreeMap<Name, Finish>>,
    /// For each state, the runs that do not start because they would outlive the subscription, with their end.
    pub refused: Vec<BTreeMap<Name, Finish>>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Endless, Finish, Limit, Outlook};

    #[test]
    fn a_run_outlives_a_subscription_if_it_ends_later_or_never() {
        let day = "2027-01-30".parse().unwrap();
        let outlook = |finish| Outlook {
            enrolled_now: 0,
            enrolled: BTreeMap::new(),
            first_at: None,
            finish,
            messages: [(day, 1)].into(),
            limit: Limit::Cadence,
        };
        let end = "2027-01-31T00:00:00Z".parse().unwrap();
        let later = Finish::At(end + chrono::TimeDelta::seconds(1));
        assert!(!outlook(Finish::At(end)).outlives(end));
        assert!(outlook(later).outlives(end));
        assert!(!Outlook { messages: BTreeMap::new(), ..outlook(later) }.outlives(end));
        assert!(outlook(Finish::Never(Endless::Continuous)).outlives(end));
        assert!(!outlook(Finish::Never(Endless::Paused)).outlives(end));
    }
}
