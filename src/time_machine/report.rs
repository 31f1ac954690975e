//! The result of a simulation, as `simulate -o json` prints it. Within one format fields are only added, never changed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::chance::Rates;
use crate::core::domain::{NaiveDate, Timestamp};
use crate::core::lifecycle::run::Phase;
use crate::store::query::report::Unreached;

/// The version of the format of these types.
pub const FORMAT: u32 = 1;

/// A simulation from its first instant to its last. All values concern that period only, unless a field says otherwise.
/// Days are local days of the accounts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub format: u32,
    pub from: Timestamp,
    pub until: Timestamp,
    pub seed: u64,
    pub rates: Rates,
    /// Plain sentences to read before the figures, such as campaigns that can never send, and why.
    pub notes: Vec<String>,
    pub totals: Totals,
    /// Every day of the period, including days without a message.
    pub days: Vec<Day>,
    /// Campaigns with runs, by name.
    pub campaigns: Vec<Campaign>,
    /// Sorted by campaign and account.
    pub runs: Vec<Run>,
    /// Sorted by id.
    pub accounts: Vec<Account>,
    /// People to whom no message ever left, grouped by reason; the most frequent reason comes first.
    pub unreached: Vec<Reason>,
    pub conflicts: Conflicts,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub accounts: u64,
    /// Distinct people: referrals of one account with the same phone count once.
    pub people: u64,
    /// People to whom at least one message left.
    pub reached: u64,
    /// People to whom no message ever left, not even before the period.
    pub unreached: u64,
    /// The sums over all campaigns.
    #[serde(flatten)]
    pub figures: Figures,
    /// People who paid.
    pub paid: u64,
    /// People who answered STOP.
    pub stopped: u64,
}

/// Counts of targets and messages. A person in two campaigns counts as two targets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Targets that were enrolled.
    pub enrolled: u64,
    /// Messages that left.
    pub sent: u64,
    pub failed: u64,
    /// Messages whose outcome is unknown.
    pub uncertain: u64,
    /// Targets that received the message of every day.
    pub completed: u64,
    /// Targets that exited early, by reason.
    pub exited: BTreeMap<&'static str, u64>,
    /// Targets that are still active at the end.
    pub active: u64,
}

impl Figures {
    /// Returns the sum of both.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.enrolled += other.enrolled;
        self.sent += other.sent;
        self.failed += other.failed;
        self.uncertain += other.uncertain;
        self.completed += other.completed;
        self.active += other.active;
        for (reason, people) in &other.exited {
            *self.exited.entry(reason).or_default() += people;
        }
        self
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    pub date: NaiveDate,
    /// Messages that left.
    pub sent: u64,
    /// Messages that left, by campaign; campaigns without a message are absent.
    pub campaigns: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Campaign {
    pub name: String,
    /// `default` or `filtered`; null if the manifest was removed.
    #[serde(rename = "type")]
    pub kind: Option<&'static str>,
    pub priority: Option<i32>,
    pub runs: u64,
    /// Runs that were completed or cancelled.
    pub finished_runs: u64,
    #[serde(flatten)]
    pub figures: Figures,
    pub first_sent_on: Option<NaiveDate>,
    pub last_sent_on: Option<NaiveDate>,
    /// The instant at which the last run finished; null while a run is unfinished.
    pub finished_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    pub campaign: String,
    /// The account's external id.
    pub account: String,
    /// The phase at the end; `reason` and `message` also describe the end.
    pub phase: Phase,
    pub reason: String,
    pub message: String,
    pub enrolled: u64,
    pub sent: u64,
    /// Targets that are still active at the end.
    pub active: u64,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub first_sent_on: Option<NaiveDate>,
    pub last_sent_on: Option<NaiveDate>,
    /// The earliest instant at which an active target is due.
    pub next_due_at: Option<Timestamp>,
}

/// An account's use of its daily quota.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Account {
    /// External id.
    pub id: String,
    pub name: String,
    pub timezone: String,
    /// The account's daily message quota over all campaigns; null if it has none.
    pub cap: Option<u32>,
    pub sent: u64,
    /// Days on which at least one message left.
    pub sending_days: u64,
    pub days_at_cap: u64,
    /// `days_at_cap` divided by the number of all days.
    pub share_at_cap: f64,
    /// The average number of messages on a sending day.
    pub average: f64,
    pub busiest: Option<Busiest>,
    /// The quota taken on each of [`Report::days`].
    pub taken: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Busiest {
    pub date: NaiveDate,
    pub messages: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    pub reason: Unreached,
    /// The end of a sentence whose subject is these people.
    pub meaning: &'static str,
    pub people: u64,
}

/// Overlaps of campaigns in people and in quota.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Conflicts {
    /// Pairs of campaigns that had the same people at the same time. Each of these people gets one message a day, from
    /// the campaign with the lower priority number.
    pub pairs: Vec<Pair>,
    /// Accounts that reached their cap while people of several campaigns waited, sampled once an hour.
    pub shared_caps: Vec<SharedCap>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pair {
    pub campaigns: [String; 2],
    pub people: u64,
    /// Messages of either campaign that left at least a day later because the other had sent that day.
    pub put_off: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SharedCap {
    /// The account's external id.
    pub account: String,
    pub campaigns: Vec<String>,
    pub days: u64,
}
