//! Histories in order of time: of people, from facts, targets and messages; of runs, from events.

pub(super) mod entry;
mod people;
mod runs;

use self::entry::Entry;
use super::{Error, Store, TargetName};

/// The subject of a history.
#[derive(Debug, Clone, Copy)]
pub enum HistoryOf<'a> {
    /// A person in one run, with the events of the run meanwhile.
    Target(&'a TargetName),
    /// People by external id, in all campaigns.
    Referrals(&'a [String]),
    /// The latest run of a campaign for an account, without the people in it.
    Run { campaign: &'a str, account: &'a str },
    /// All runs of an account.
    Account(&'a str),
}

impl Store {
    /// Returns the last `limit` entries of a history, newest last.
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
        // The sort is stable, so entries of one run or message at one instant keep their order.
        entries.sort_by_key(|entry| (entry.at, entry.kind));
        entries.drain(..entries.len().saturating_sub(limit));
        Ok(entries)
    }
}
