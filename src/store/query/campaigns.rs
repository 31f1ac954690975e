//! Campaigns as users see them.

use serde::Serialize;

use super::counts::{Counts, count_columns, counted, priority_column};
use super::{Error, Store, Wanted};
use crate::core::domain::Timestamp;

/// A campaign over all its accounts: `get campaigns -o json`.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, sqlx::FromRow)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::FromRow)]
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

impl Store {
    /// Returns campaigns of `wanted` (campaign, limit), those in force first, then by name.
    pub async fn campaigns(&self, wanted: &Wanted) -> Result<Vec<Campaign>, Error> {
        sqlx::query_as(concat!(
            "with ",
            counted!("campaign_id"),
            " select c.name, f.body ->> 'type' as type, f.body ->> 'state' as state,
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
               from run where run.campaign_id = c.id) r
             where ($1 is null or c.name = $1)
             order by c.removed_at is not null, c.name, c.id desc limit $3"
        ))
        .bind(&wanted.campaign)
        .bind(None::<&str>)
        .bind(wanted.limit)
        .persistent(false)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read the campaigns"))
    }

    /// Returns the days of a campaign for which people wait or messages were sent.
    pub async fn campaign_days(&self, campaign: &str) -> Result<Vec<DayCounts>, Error> {
        sqlx::query_as(include_str!("campaigns_campaign_days.sql"))
            .bind(campaign)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::during("count a campaign's days"))
    }
}
