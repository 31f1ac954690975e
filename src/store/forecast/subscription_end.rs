//! Forecasts of the end of runs that have not begun, for comparison with the subscription end of their accounts.

use std::collections::{BTreeMap, HashMap};

use crate::core::dispatch::program::Program;
use crate::core::domain::{AccountId, CampaignId, Name, Timestamp};
use crate::core::manifest::desired::AccountSelector;
use crate::core::plan::Plan;
use crate::core::plan::forecast::{Foreseen, Outlook};
use crate::store::generation::in_force;
use crate::store::lock::lock_lanes;
use crate::store::{Error, Store, Tree};

/// The number of runs per batch.
const BATCH: i64 = 200;

/// The forecast end of a run.
struct Known {
    account: AccountId,
    campaign: CampaignId,
    end: Option<Timestamp>,
    /// The instant of the request for this forecast.
    since: Timestamp,
}

impl Store {
    /// Forecasts the end of the runs that requested it, and schedules a check of them. Returns the number of these
    /// runs.
    ///
    /// A relevant change during the computation requests the forecast again; the outdated result is not saved.
    pub async fn look_ahead(&self, program: &Program, now: Timestamp) -> Result<u64, Error> {
        let asked: Vec<(i32, i32, String, Timestamp)> = sqlx::query_as(
            "select r.account_id, r.campaign_id, a.external_id, r.ahead_at from run r join account a on a.id = r.account_id
             where r.ahead_at <= $1 order by r.ahead_at limit $2",
        )
        .bind(now)
        .bind(BATCH)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("find runs to forecast"))?;
        if asked.is_empty() {
            return Ok(0);
        }
        let in_force_now = self.in_force().await?;
        if in_force_now.generation != program.generation {
            return Ok(0);
        }
        let since: HashMap<(AccountId, CampaignId), Timestamp> = asked
            .iter()
            .map(|(account, campaign, _, since)| ((AccountId(*account), CampaignId(*campaign)), *since))
            .collect();
        let mut names: Vec<String> = asked.into_iter().map(|(_, _, name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        let accounts = AccountSelector::Names(names);
        let tree = Tree { desired: &in_force_now.desired, plan: &Plan::default() };
        let foreseen = self.forecast(&[&accounts], &[tree], &in_force_now, now).await?;
        let seen: Vec<Known> =
            foreseen.iter().flat_map(|account| ends(account, &in_force_now.campaigns, &since)).collect();
        self.save_ends(program, &seen, now).await
    }

    async fn save_ends(&self, program: &Program, seen: &[Known], now: Timestamp) -> Result<u64, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to save a forecast"))?;
        let mut accounts: Vec<AccountId> = seen.iter().map(|seen| seen.account).collect();
        accounts.dedup();
        lock_lanes(&mut tx, &accounts).await?;
        if !in_force(&mut tx, program).await? {
            return Ok(0);
        }
        let saved = sqlx::query(
            "update run r set foreseen_at = $4, foreseen_end = u.ends_at, ahead_at = null, check_at = $4
             from unnest($1::int[], $2::int[], $3::timestamptz[], $5::timestamptz[])
                  as u (account_id, campaign_id, ends_at, since)
             where (r.account_id, r.campaign_id) = (u.account_id, u.campaign_id) and r.ahead_at = u.since",
        )
        .bind(seen.iter().map(|seen| seen.account.0).collect::<Vec<_>>())
        .bind(seen.iter().map(|seen| seen.campaign.0).collect::<Vec<_>>())
        .bind(seen.iter().map(|seen| seen.end).collect::<Vec<_>>())
        .bind(now)
        .bind(seen.iter().map(|seen| seen.since).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await
        .map_err(Error::during("save a forecast"))?;
        tx.commit().await.map_err(Error::during("commit a forecast"))?;
        Ok(saved.rows_affected())
    }
}

/// Returns the forecast end of each requested run of an account; for a refused run, its end without the refusal.
fn ends(
    account: &Foreseen,
    ids: &BTreeMap<Name, CampaignId>,
    asked: &HashMap<(AccountId, CampaignId), Timestamp>,
) -> Vec<Known> {
    let (Some(runs), Some(refused)) = (account.trees.first(), account.refused.first()) else { return Vec::new() };
    let seen = |(name, outlook): (&Name, &Outlook)| {
        let end = match refused.get(name) {
            Some(would_end) => would_end.at(),
            // A run with no messages left is in time, however late it finishes.
            None => [outlook.finish.at(), account.subscription_ends_at].into_iter().flatten().min(),
        };
        let campaign = *ids.get(name)?;
        let since = *asked.get(&(account.account, campaign))?;
        Some(Known { account: account.account, campaign, end, since })
    };
    runs.iter().filter_map(seen).collect()
}
