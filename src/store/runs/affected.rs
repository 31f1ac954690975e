//! Runs and accounts affected by a provider restriction: a report on one number must lock and examine only a few.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use crate::core::domain::{AccountId, CampaignId, Name, Timestamp};
use crate::core::lifecycle::restriction::{Restriction, Subject};
use crate::core::lifecycle::send_resources::SendResources;
use crate::store::lock::lock_lanes;
use crate::store::schedule::wake::{ConcernedRuns, check_concerned};
use crate::store::{Error, Senders};

/// The runs of these campaigns, and those of these accounts.
#[derive(Debug, Default)]
pub(in crate::store) struct Affected<'a> {
    /// Templates by name, and the campaigns that use them.
    pub(super) using: BTreeSet<(&'a str, CampaignId)>,
    accounts: BTreeSet<AccountId>,
    /// True if the subject is shared so widely that every run may be affected.
    everybody: bool,
}

impl<'a> Affected<'a> {
    pub(in crate::store) fn everybody() -> Self {
        Self { everybody: true, ..Self::default() }
    }

    pub(super) async fn by(
        stops: &[&'a Restriction],
        (resources, senders): (&SendResources, &Senders),
        tx: &mut PgConnection,
    ) -> Result<Self, Error> {
        let mut this = Self::default();
        let mut numbers: BTreeSet<(&str, &str)> = BTreeSet::new();
        for stop in stops {
            match &stop.subject {
                Subject::Template { name, .. } => {
                    this.using.extend(resources.using(name).into_iter().map(|campaign| (name.as_str(), campaign)));
                }
                Subject::Number(name) => {
                    numbers.insert((&stop.channel, name));
                }
                Subject::Business(_) => this.everybody = true,
            }
        }
        if this.everybody || numbers.is_empty() {
            return Ok(this);
        }
        for (channel, number) in ids(tx, &numbers).await? {
            let shared = Name::parse(&channel).ok().and_then(|channel| resources.shared(&channel)?.number.as_deref());
            this.everybody |= shared == Some(number.as_str());
            this.accounts.extend(senders.named(&number));
        }
        Ok(this)
    }

    /// Locks the lanes of the accounts with unfinished affected runs, and returns these accounts.
    pub(in crate::store) async fn lock(&self, tx: &mut PgConnection) -> Result<Vec<AccountId>, Error> {
        let accounts: Vec<i32> = sqlx::query_scalar(
            "select distinct account_id from run
             where ($1 or campaign_id = any($2) or account_id = any($3)) and finished_at is null",
        )
        .bind(self.everybody)
        .bind(self.campaigns())
        .bind(self.accounts())
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during("find runs under a restriction"))?;
        let accounts: Vec<AccountId> = accounts.into_iter().map(AccountId).collect();
        lock_lanes(tx, &accounts).await?;
        Ok(accounts)
    }

    /// Schedules a look at runs that may pause or resume. Their lanes are locked.
    pub(super) async fn look_again(&self, tx: &mut PgConnection, now: Timestamp) -> Result<(), Error> {
        let runs = ConcernedRuns { all: self.everybody, campaigns: self.campaigns(), accounts: self.accounts() };
        check_concerned(tx, runs, now).await
    }

    fn campaigns(&self) -> Vec<i32> {
        self.using.iter().map(|(_, campaign)| campaign.0).collect()
    }

    fn accounts(&self) -> Vec<i32> {
        self.accounts.iter().map(|account| account.0).collect()
    }
}

/// Returns numbers with the ids by which they send and their channels; a number with unknown digits is taken as an id.
async fn ids(tx: &mut PgConnection, numbers: &BTreeSet<(&str, &str)>) -> Result<Vec<(String, String)>, Error> {
    sqlx::query_as(
        "with told as (select * from unnest($1::text[], $2::text[]) as u (channel, name))
         select channel, name from told
         union select s.channel, s.number from sender s join told on (s.channel, s.digits) = (told.channel, told.name)",
    )
    .bind(numbers.iter().map(|(channel, _)| *channel).collect::<Vec<_>>())
    .bind(numbers.iter().map(|(_, name)| *name).collect::<Vec<_>>())
    .fetch_all(tx)
    .await
    .map_err(Error::during("find numbers under a restriction"))
}
