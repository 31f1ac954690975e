//! Runs as users see them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::counts::{Counts, count_columns, counted, priority_column};
use super::{Error, Store, Wanted};
use crate::core::domain::Timestamp;
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::run::Phase;

/// A run: `get runs -o json`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema, sqlx::FromRow)]
pub struct Run {
    pub campaign: String,
    /// The account's external id.
    pub account: String,
    /// `default` or `filtered`; null after the manifest was removed.
    #[serde(rename = "type")]
    #[sqlx(rename = "type")]
    pub kind: Option<String>,
    #[sqlx(try_from = "String")]
    pub phase: Phase,
    /// The machine-readable reason for the phase.
    pub reason: String,
    /// The detail of the reason; outputs show its sentence.
    #[serde(rename = "message", serialize_with = "Detail::as_sentence")]
    #[schemars(with = "String")]
    #[sqlx(json)]
    pub detail: Detail,
    /// Null after the manifest was removed.
    pub priority: Option<i32>,
    #[serde(flatten)]
    #[sqlx(flatten)]
    pub counts: Counts,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// The earliest instant at which an active target is due.
    pub next_due_at: Option<Timestamp>,
    /// The number of the revision that the run uses.
    pub revision: i32,
    /// Why its campaign cannot run, although its manifest is in force: something stored cannot be used.
    /// Absent otherwise.
    #[sqlx(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<String>,
}

/// The number of a run's targets that ended in one way; a reason of `None` means that they got every day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct EndCount {
    pub exit_reason: Option<String>,
    pub people: i64,
}

/// The place of a run in the list of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPlace {
    campaign: String,
    account: String,
    number: i32,
}

#[derive(sqlx::FromRow)]
struct Row {
    number: i32,
    #[sqlx(flatten)]
    run: Run,
}

impl Store {
    /// Returns runs of `wanted` (campaign, account, phase, limit), by campaign and account.
    pub async fn runs(&self, wanted: &Wanted) -> Result<Vec<Run>, Error> {
        Ok(self.runs_after(wanted, None).await?.into_iter().map(|(_, run)| run).collect())
    }

    /// Returns the runs of [`Store::runs`] that stand after `place`, each with its own place.
    pub async fn runs_after(&self, wanted: &Wanted, place: Option<&RunPlace>) -> Result<Vec<(RunPlace, Run)>, Error> {
        let rows: Vec<Row> = sqlx::query_as(concat!(
            "with ",
            counted!("account_id, campaign_id"),
            " select c.id as number, c.name as campaign, a.external_id as account, f.body ->> 'type' as type, r.phase, r.reason,
                     r.detail, ",
            priority_column!(),
            ", ",
            count_columns!(),
            ", r.started_at, r.finished_at, p.next_due_at, r.revision_id as revision
             from run r join campaign c on c.id = r.campaign_id join account a on a.id = r.account_id
             left join manifest f on f.kind = 'Campaign' and f.name = c.name and c.removed_at is null
             left join people p on p.account_id = r.account_id and p.campaign_id = r.campaign_id
             left join mail m on m.account_id = r.account_id and m.campaign_id = r.campaign_id
             where ($1 is null or c.name = $1) and ($2 is null or a.external_id = $2)
               and ($3::text is null or r.phase = $3)
               and ($5::text is null or (c.name, a.external_id, c.id) > ($5, $6::text, $7::int))
             order by c.name, a.external_id, c.id limit $4"
        ))
        .bind(&wanted.campaign)
        .bind(&wanted.account)
        .bind(wanted.phase.map(Phase::as_str))
        .bind(wanted.limit)
        .bind(place.map(|place| &*place.campaign))
        .bind(place.map(|place| &*place.account))
        .bind(place.map(|place| place.number))
        .persistent(false)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read the runs"))?;
        let placed = |Row { number, run }: Row| {
            (RunPlace { campaign: run.campaign.clone(), account: run.account.clone(), number }, run)
        };
        Ok(rows.into_iter().map(placed).collect())
    }

    /// Returns the ways in which the targets of one run ended, most frequent first.
    pub async fn ends(&self, campaign: &str, account: &str) -> Result<Vec<EndCount>, Error> {
        sqlx::query_as(
            "select t.exit_reason, count(*) as people
             from target t join campaign c on c.id = t.campaign_id join account a on a.id = t.account_id
             where c.name = $1 and a.external_id = $2 and t.state <> 'active'
             group by t.exit_reason order by people desc, t.exit_reason",
        )
        .bind(campaign)
        .bind(account)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("count targets by exit reason"))
    }
}
