//! Whether runs that have not begun would be done before the subscriptions of their accounts end.

use std::collections::BTreeMap;

use super::claim::{in_force, lock_lanes};
use super::{Error, Store, Tree};
use crate::domain::{AccountId, CampaignId, Name, Timestamp};
use crate::manifest::desired::AccountSelector;
use crate::plan::Plan;
use crate::plan::forecast::{Foreseen, Outlook};
use crate::program::Program;

/// Accounts looked at in one go.
const BATCH: i64 = 200;

/// When a run would end, as far as that can be seen.
struct Seen {
    account: AccountId,
    campaign: CampaignId,
    end: Option<Timestamp>,
}

impl Store {
    /// Works out when the runs would end that wait for that, and has them looked at again. Returns how many.
    ///
    /// A forecast is no promise: what it was made from may change while it is made. What matters is that whatever
    /// changes has it made anew.
    pub async fn look_ahead(&self, program: &Program, now: Timestamp) -> Result<u64, Error> {
        let names: Vec<(String,)> = sqlx::query_as(
            "select external_id from account
             where id in (select account_id from run where ahead_at <= $1 order by ahead_at limit $2)",
        )
        .bind(now)
        .bind(BATCH)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("look for runs to look ahead of"))?;
        if names.is_empty() {
            return Ok(0);
        }
        let in_force_now = self.in_force().await?;
        if in_force_now.generation != program.generation {
            return Ok(0);
        }
        let accounts = AccountSelector::Names(names.into_iter().map(|(name,)| name).collect());
        let tree = Tree { desired: &in_force_now.desired, plan: &Plan::default() };
        let foreseen = self.forecast(&[&accounts], &[tree], &in_force_now, now).await?;
        let seen: Vec<Seen> = foreseen.iter().flat_map(|account| ends(account, &in_force_now.campaigns)).collect();
        self.save_ends(program, &seen, now).await
    }

    async fn save_ends(&self, program: &Program, seen: &[Seen], now: Timestamp) -> Result<u64, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to save a look ahead"))?;
        let mut accounts: Vec<AccountId> = seen.iter().map(|seen| seen.account).collect();
        accounts.dedup();
        lock_lanes(&mut tx, &accounts).await?;
        if !in_force(&mut tx, program).await? {
            return Ok(0);
        }
        let saved = sqlx::query(
            "update run r set foreseen_at = $4, foreseen_end = u.ends_at, ahead_at = null, check_at = $4
             from unnest($1::int[], $2::int[], $3::timestamptz[]) as u (account_id, campaign_id, ends_at)
             where (r.account_id, r.campaign_id) = (u.account_id, u.campaign_id) and r.ahead_at is not null",
        )
        .bind(seen.iter().map(|seen| seen.account.0).collect::<Vec<_>>())
        .bind(seen.iter().map(|seen| seen.campaign.0).collect::<Vec<_>>())
        .bind(seen.iter().map(|seen| seen.end).collect::<Vec<_>>())
        .bind(now)
        .execute(&mut *tx)
        .await
        .map_err(Error::during("save a look ahead"))?;
        tx.commit().await.map_err(Error::during("commit a look ahead"))?;
        Ok(saved.rows_affected())
    }
}

/// When each run of an account would end; of one that is refused, when it would if it were not.
fn ends(account: &Foreseen, ids: &BTreeMap<Name, CampaignId>) -> Vec<Seen> {
    let (Some(runs), Some(refused)) = (account.trees.first(), account.refused.first()) else { return Vec::new() };
    let seen = |(name, outlook): (&Name, &Outlook)| {
        let end = match refused.get(name) {
            Some(would_end) => would_end.at(),
            // Whoever has nothing left to write is in time, however late that is.
            None => [outlook.finish.at(), account.subscription_ends_at].into_iter().flatten().min(),
        };
        Some(Seen { account: account.account, campaign: *ids.get(name)?, end })
    };
    runs.iter().filter_map(seen).collect()
}
