//! What happened, in order: to people, read off the facts, targets and messages; to runs, from the events.

mod people;
mod runs;

use std::fmt;

use serde::Serialize;

use super::{Error, Store, TargetName};
use crate::core::domain::Timestamp;

/// Whose history.
#[derive(Debug, Clone, Copy)]
pub enum HistoryOf<'a> {
    /// One person's in one run, with what happened to the run meanwhile.
    Target(&'a TargetName),
    /// That of people, by external id, in all campaigns.
    Referrals(&'a [String]),
    /// What happened to the latest run of a campaign for an account, but not to the people in it.
    Run { campaign: &'a str, account: &'a str },
    /// What happened to all runs of an account.
    Account(&'a str),
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub at: Timestamp,
    pub kind: EntryKind,
    pub account: String,
    /// Null for what concerns a run as a whole.
    pub referral: Option<String>,
    /// Null for facts.
    pub campaign: Option<String>,
    /// Of the sequence.
    pub day: Option<i16>,
    /// For people; without a full stop.
    pub sentence: String,
}

/// What kind of thing happened; of several at one instant, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    Registered,
    Consent,
    Paid,
    Suppressed,
    RunCreated,
    RunPhase,
    Enrolled,
    /// A message was handed over, and nobody knows yet what became of it; or it waits for its next attempt.
    HandedOver,
    Sent,
    Delivered,
    Read,
    Failed,
    Uncertain,
    Completed,
    Exited,
}

/// One line, for logs and tests: `2026-11-30 14:00 welcome/a1/r1: day 1 delivered`.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [self.campaign.as_deref(), Some(&*self.account), self.referral.as_deref()];
        let parts: Vec<&str> = parts.into_iter().flatten().collect();
        write!(f, "{} {}: {}", self.at.format("%Y-%m-%d %H:%M"), parts.join("/"), self.sentence)
    }
}

impl Store {
    /// The last `limit` entries of a history, newest last.
    pub async fn history(&self, of: HistoryOf<'_>, limit: usize) -> Result<Vec<Entry>, Error> {
        let mut tx = self.looking().await?;
        let mut entries = match of {
            HistoryOf::Target(name) => {
                let people = people::find(&mut tx, std::slice::from_ref(&name.referral)).await?;
                let campaign = people::latest(&mut tx, name).await?;
                people::history(&mut tx, &people, campaign).await?
            }
            HistoryOf::Referrals(ids) => {
                let people = people::find(&mut tx, ids).await?;
                people::history(&mut tx, &people, None).await?
            }
            HistoryOf::Run { campaign, account } => runs::latest(&mut tx, Some(campaign), account, limit).await?,
            HistoryOf::Account(account) => runs::latest(&mut tx, None, account, limit).await?,
        };
        // A stable sort: what happened to one run or message at one instant stays in its order.
        entries.sort_by_key(|entry| (entry.at, entry.kind));
        entries.drain(..entries.len().saturating_sub(limit));
        Ok(entries)
    }
}
