//! What a simulation found out, as `simulate -o json` prints it. Fields are added, never changed, within one format.

use std::collections::BTreeMap;

use serde::Serialize;

use super::chance::Rates;
use crate::core::domain::{NaiveDate, Timestamp};
use crate::core::lifecycle::run::Phase;
use crate::store::query::report::Unreached;

/// The version of these types.
pub const FORMAT: u32 = 1;

/// A simulation from its first instant to its last. Everything is of that time only, unless it says otherwise; days are
/// local days of the accounts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub format: u32,
    pub from: Timestamp,
    pub until: Timestamp,
    pub seed: u64,
    pub rates: Rates,
    /// Plain sentences about what somebody should know first: who can never send, and why.
    pub notes: Vec<String>,
    pub totals: Totals,
    /// Every day, also those without a message.
    pub days: Vec<Day>,
    /// Campaigns with runs, by name.
    pub campaigns: Vec<Campaign>,
    /// By campaign and account.
    pub runs: Vec<Run>,
    /// By id.
    pub accounts: Vec<Account>,
    /// People to whom no message ever left, by what stood in between, most people first.
    pub unreached: Vec<Reason>,
    pub conflicts: Conflicts,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub accounts: u64,
    /// Referrals, two rows of one account with one phone counted once.
    pub people: u64,
    /// People to whom a message left.
    pub reached: u64,
    /// People to whom no message ever left, before these days included.
    pub unreached: u64,
    /// As in [`Figures`], over all campaigns.
    #[serde(flatten)]
    pub figures: Figures,
    /// People who paid.
    pub paid: u64,
    /// People who answered STOP.
    pub stopped: u64,
}

/// What became of targets and messages. Somebody who is in two campaigns is two targets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Targets that were taken.
    pub enrolled: u64,
    /// Messages that left.
    pub sent: u64,
    pub failed: u64,
    /// Messages of which nobody knows whether they left.
    pub uncertain: u64,
    /// Targets that got every day.
    pub completed: u64,
    /// Targets that left before, by reason.
    pub exited: BTreeMap<&'static str, u64>,
    /// Targets that are still on their way at the end.
    pub active: u64,
}

impl Figures {
    /// Both together.
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
    /// The same by campaign; those without a message are left out.
    pub campaigns: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Campaign {
    pub name: String,
    /// `default` or `filtered`; null when its manifest is gone.
    #[serde(rename = "type")]
    pub kind: Option<&'static str>,
    pub priority: Option<i32>,
    pub runs: u64,
    /// Runs that completed or were cancelled.
    pub finished_runs: u64,
    #[serde(flatten)]
    pub figures: Figures,
    pub first_sent_on: Option<NaiveDate>,
    pub last_sent_on: Option<NaiveDate>,
    /// When the last run finished; null while one has not.
    pub finished_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    pub campaign: String,
    /// External id.
    pub account: String,
    /// At the end, as the reason and its sentence.
    pub phase: Phase,
    pub reason: String,
    pub message: String,
    pub enrolled: u64,
    pub sent: u64,
    /// Targets that are still on their way.
    pub active: u64,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub first_sent_on: Option<NaiveDate>,
    pub last_sent_on: Option<NaiveDate>,
    /// When the first of those on their way is due.
    pub next_due_at: Option<Timestamp>,
}

/// How an account used its daily quota.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Account {
    /// External id.
    pub id: String,
    pub name: String,
    pub timezone: String,
    /// Messages it may send a day, all campaigns together; null: as many as it likes.
    pub cap: Option<u32>,
    pub sent: u64,
    /// Days on which something left.
    pub sending_days: u64,
    pub days_at_cap: u64,
    /// Days at the cap as a share of all days.
    pub share_at_cap: f64,
    /// Messages on a day on which something left.
    pub average: f64,
    pub busiest: Option<Busiest>,
    /// What it took of its quota on each of [`Report::days`].
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
    /// The end of a sentence about these people.
    pub meaning: &'static str,
    pub people: u64,
}

/// Where campaigns get into each other's way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Conflicts {
    /// Pairs of campaigns that had the same people at the same time. Each of these people gets one message a day, of the
    /// campaign with the lower priority number.
    pub pairs: Vec<Pair>,
    /// Accounts that reached their cap while people of several campaigns waited, looked at once an hour.
    pub shared_caps: Vec<SharedCap>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pair {
    pub campaigns: [String; 2],
    pub people: u64,
    /// Messages of one of them that left a day later or more, because the other had written that day.
    pub put_off: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SharedCap {
    /// External id.
    pub account: String,
    pub campaigns: Vec<String>,
    pub days: u64,
}
