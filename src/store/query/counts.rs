//! Counts of people and messages.

use schemars::JsonSchema;
use serde::Serialize;

/// The counts of people and messages of one run, or of all runs of a campaign.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema, sqlx::FromRow)]
pub struct Counts {
    /// People ever enrolled: the sum of active, completed and exited.
    pub enrolled: i64,
    pub active: i64,
    pub completed: i64,
    pub exited: i64,
    /// Messages that certainly left: sent, delivered or read.
    pub sent: i64,
    /// Messages that certainly arrived: delivered or read.
    pub delivered: i64,
    pub read: i64,
    pub failed: i64,
    /// Messages that may have left. They took quota, but are not part of `sent`.
    pub uncertain: i64,
}

/// The column `priority` of a campaign from `manifest f`. A damaged body has none, instead of failing the query.
macro_rules! priority_column {
    () => {
        "case when f.body ->> 'priority' ~ '^-?[0-9]{1,9}$' then (f.body ->> 'priority')::int end as priority"
    };
}

/// The columns of [`Counts`] from `people p` and `mail m`, see [`counted`].
macro_rules! count_columns {
    () => {
        "coalesce(p.enrolled, 0) as enrolled, coalesce(p.active, 0) as active, coalesce(p.completed, 0) as completed,
         coalesce(p.exited, 0) as exited, coalesce(m.sent, 0) as sent, coalesce(m.delivered, 0) as delivered,
         coalesce(m.read, 0) as read, coalesce(m.failed, 0) as failed, coalesce(m.uncertain, 0) as uncertain"
    };
}

/// The tables `people` and `mail`: counts by `$key` for the campaigns named `$1` and the account `$2`; null means all.
macro_rules! counted {
    ($key:literal) => {
        concat!(
            "people as (
               select ", $key, ", count(*) as enrolled, count(*) filter (where state = 'active') as active,
                      count(*) filter (where state = 'completed') as completed,
                      count(*) filter (where state = 'exited') as exited, min(due_at) as next_due_at
               from target
               where ($1::text is null or campaign_id = any(array(select id from campaign where name = $1)))
                 and ($2::text is null or account_id = (select id from account where external_id = $2))
               group by ", $key, "),
             mail as (
               select ", $key, ", count(*) filter (where state in ('sent', 'delivered', 'read')) as sent,
                      count(*) filter (where state in ('delivered', 'read')) as delivered,
                      count(*) filter (where state = 'read') as read, count(*) filter (where state = 'failed') as failed,
                      count(*) filter (where state = 'uncertain') as uncertain
               from message
               where ($1::text is null or campaign_id = any(array(select id from campaign where name = $1)))
                 and ($2::text is null or account_id = (select id from account where external_id = $2))
               group by ", $key, ")"
        )
    };
}

pub(super) use {count_columns, counted, priority_column};
