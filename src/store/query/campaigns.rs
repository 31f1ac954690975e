//! Campaigns as users see them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::counts::{Counts, count_columns, counted, priority_column};
use super::{Error, Store, Wanted};
use crate::core::domain::Timestamp;

/// A campaign over all its accounts: `get campaigns -o json`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema, sqlx::FromRow)]
pub struct Campaign {
    pub name: String,
    /// `default` or `filtered`. It is null after the manifest was removed, and so are `state`, `priority` and
    /// `sequence`.
    #[serde(rename = "type")]
    #[sqlx(rename = "type")]
    pub kind: Option<String>,
    /// The state in the manifest.
    pub state: Option<String>,
    pub priority: Option<i32>,
    pub sequence: Option<String>,
    /// The number of runs in each phase.
    #[sqlx(flatten)]
    pub runs: Phases,
    #[serde(flatten)]
    #[sqlx(flatten)]
    pub counts: Counts,
    pub next_due_at: Option<Timestamp>,
    /// The number of the revision in which the manifest last changed.
    pub revision: Option<i32>,
    /// The instant at which the manifest was removed.
    pub removed_at: Option<Timestamp>,
    /// Why the campaign cannot run, although its manifest is in force: something stored cannot be used.
    /// Absent otherwise.
    #[sqlx(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<String>,
}

/// The number of runs in each phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema, sqlx::FromRow)]
pub struct Phases {
    pub draft: i64,
    pub scheduled: i64,
    #[sqlx(rename = "active_runs")]
    pub active: i64,
    pub paused: i64,
    #[sqlx(rename = "completed_runs")]
    pub completed: i64,
    pub cancelled: i64,
}

impl Phases {
    pub fn total(&self) -> i64 {
        self.draft + self.scheduled + self.active + self.paused + self.completed + self.cancelled
    }
}

/// The counts of one day of a campaign's sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema, sqlx::FromRow)]
pub struct DayCounts {
    pub day: i16,
    /// Active people whose next message is that of this day.
    pub waiting: i64,
    /// The message counts, as in [`Counts`].
    pub sent: i64,
    pub delivered: i64,
    pub read: i64,
    pub failed: i64,
    pub uncertain: i64,
}

/// The place of a campaign in the list of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignPlace {
    is_removed: bool,
    name: String,
    number: i32,
}

#[derive(sqlx::FromRow)]
struct Row {
    number: i32,
    #[sqlx(flatten)]
    campaign: Campaign,
}

impl Store {
    /// Returns campaigns of `wanted` (campaign, account, limit), those in force first, then by name. With an account,
    /// counts only that account's runs, and leaves out campaigns without one.
    pub async fn campaigns(&self, wanted: &Wanted) -> Result<Vec<Campaign>, Error> {
        Ok(self.campaigns_after(wanted, None).await?.into_iter().map(|(_, campaign)| campaign).collect())
    }

    /// Returns the campaigns of [`Store::campaigns`] that stand after `place`, each with its own place.
    pub async fn campaigns_after(
        &self,
        wanted: &Wanted,
        place: Option<&CampaignPlace>,
    ) -> Result<Vec<(CampaignPlace, Campaign)>, Error> {
        let rows: Vec<Row> = sqlx::query_as(concat!(
            "with ",
            counted!("campaign_id"),
            " select c.id as number, c.name, f.body ->> 'type' as type, f.body ->> 'state' as state,
                     ",
            priority_column!(),
            ", f.body ->> 'sequence' as sequence, r.*, ",
            count_columns!(),
            ", p.next_due_at, f.revision_id as revision, c.removed_at
             from campaign c left join people p on p.campaign_id = c.id left join mail m on m.campaign_id = c.id
             left join manifest f on f.kind = 'Campaign' and f.name = c.name and c.removed_at is null
             cross join lateral (
               select count(*) filter (where phase = 'draft') as draft,
                      count(*) filter (where phase = 'scheduled') as scheduled,
                      count(*) filter (where phase = 'active') as active_runs,
                      count(*) filter (where phase = 'paused') as paused,
                      count(*) filter (where phase = 'completed') as completed_runs,
                      count(*) filter (where phase = 'cancelled') as cancelled
               from run where run.campaign_id = c.id
                 and ($2 is null or run.account_id = (select id from account where external_id = $2))) r
             where ($1 is null or c.name = $1)
               and ($2 is null or exists (select from run where run.campaign_id = c.id
                                            and run.account_id = (select id from account where external_id = $2)))
               and ($4::boolean is null or (c.removed_at is not null, c.name, -c.id) > ($4, $5::text, -$6::int))
             order by c.removed_at is not null, c.name, c.id desc limit $3"
        ))
        .bind(&wanted.campaign)
        .bind(&wanted.account)
        .bind(wanted.limit)
        .bind(place.map(|place| place.is_removed))
        .bind(place.map(|place| &*place.name))
        .bind(place.map(|place| place.number))
        .persistent(false)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read the campaigns"))?;
        let placed = |Row { number, campaign }: Row| {
            let (is_removed, name) = (campaign.removed_at.is_some(), campaign.name.clone());
            (CampaignPlace { is_removed, name, number }, campaign)
        };
        Ok(rows.into_iter().map(placed).collect())
    }

    /// Returns the days of a campaign, for one account or all, for which people wait or messages were sent.
    pub async fn campaign_days(&self, campaign: &str, account: Option<&str>) -> Result<Vec<DayCounts>, Error> {
        sqlx::query_as(include_str!("campaigns_campaign_days.sql"))
            .bind(campaign)
            .bind(account)
            .persistent(false)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::during("count a campaign's days"))
    }
}
