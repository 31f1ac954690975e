//! The quota use of one run on the current day.

use serde::Serialize;

use super::questions::{lane_runs, lanes};
use super::{Error, Hold, Store};
use crate::core::dispatch::lane;
use crate::core::dispatch::program::Program;
use crate::core::domain::{AccountId, CampaignId, NaiveDate, Timestamp};

/// The quotas of a run on the account's local day, and the reason that holds the whole run back now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunToday {
    pub date: NaiveDate,
    pub timezone: String,
    /// Messages of this run that took quota today.
    pub run_taken: u32,
    /// Null if there is no cap.
    pub run_cap: Option<u32>,
    /// The account's messages over all campaigns that took quota today.
    pub account_taken: u32,
    pub account_cap: Option<u32>,
    /// Null if a due target would receive its message now.
    pub hold: Option<Hold>,
}

impl Store {
    /// Returns the current day of the latest run of that campaign for that account.
    pub async fn run_today(
        &self,
        program: &Program,
        (campaign, account): (&str, &str),
        now: Timestamp,
    ) -> Result<Option<RunToday>, Error> {
        let mut tx = self.looking().await?;
        let key: Option<(i32, i32)> = sqlx::query_as(
            "select r.account_id, r.campaign_id
             from run r join campaign c on c.id = r.campaign_id join account a on a.id = r.account_id
             where c.name = $1 and a.external_id = $2 order by c.id desc limit 1",
        )
        .bind(campaign)
        .bind(account)
        .fetch_optional(&mut *tx)
        .await
        .map_err(Error::during("look for a run"))?;
        let Some((account, campaign)) = key else { return Ok(None) };
        let lanes = lanes(&mut tx, program, &[account]).await?;
        let runs = lane_runs(&mut tx, &[account]).await?;
        let run =
            runs.get(&AccountId(account)).and_then(|runs| runs.iter().find(|run| run.campaign == CampaignId(campaign)));
        let Some((lane, run)) = lanes.get(&AccountId(account)).zip(run) else { return Ok(None) };
        let date = lane.zone.date(now);
        let hold = lane::hold(lane, run, program, now).map(|(reason, until)| Hold { reason, until });
        Ok(Some(RunToday {
            date,
            timezone: lane.zone.as_str().to_owned(),
            run_taken: run.taken.of(date),
            run_cap: program.campaign(run.campaign).and_then(|campaign| campaign.spec.limits.messages_per_day),
            account_taken: lane.taken.of(date),
            account_cap: lane.policy.messages_per_day,
            hold,
        }))
    }
}
