//! What happened, in order: to people, read off the facts, targets and messages; to runs, from the events.

pub(super) mod entry;
mod people;
mod runs;

use self::entry::Entry;
use super::{Error, Store, TargetName};

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
