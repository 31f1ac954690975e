//! The log: events that concern the decisions of teams and operators, in order, with a cursor for later reads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::{Entry, EntryKind, Error, Store};
use crate::core::domain::Timestamp;
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::event::EventKind;

/// The filter of the log; `None` does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOf {
    /// The campaign's name; it also selects the revisions that changed the campaign.
    pub campaign: Option<String>,
    /// The account's external id.
    pub account: Option<String>,
    pub since: Option<Timestamp>,
}

/// A line of the log: `log -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct Line {
    /// Null for lines that are derived from a person's messages.
    pub id: Option<i64>,
    pub at: Timestamp,
    #[schemars(with = "EventKind")]
    pub kind: LineKind,
    /// Null if the event has no particular actor.
    pub actor: Option<String>,
    pub campaign: Option<String>,
    /// The account's external id; null for all accounts, or none.
    pub account: Option<String>,
    pub referral: Option<String>,
    /// The day of the sequence.
    pub day: Option<i16>,
    /// The state before the event: a run's phase or an override; `after` is the state after it.
    pub before: Option<String>,
    pub after: Option<String>,
    /// A machine-readable reason for runs; the person's own words for an action of a person.
    pub reason: Option<String>,
    pub sentence: String,
    /// The revision that applied, or that the event created.
    pub revision: Option<i32>,
}

/// The place of an event in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPlace {
    at: Timestamp,
    id: i64,
}

impl Line {
    /// Returns the place of the event; `None` for a line that is derived from messages.
    pub fn place(&self) -> Option<LogPlace> {
        self.id.map(|id| LogPlace { at: self.at, id })
    }
}

/// The kind of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum LineKind {
    Event(EventKind),
    Person(EntryKind),
}

impl From<Entry> for Line {
    fn from(entry: Entry) -> Self {
        let Entry { at, kind, account, referral, campaign, day, sentence } = entry;
        Self {
            id: None,
            at,
            kind: LineKind::Person(kind),
            actor: None,
            campaign,
            account: Some(account),
            referral,
            day,
            before: None,
            after: None,
            reason: None,
            sentence,
            revision: None,
        }
    }
}

/// The position up to which the log was read, as a database snapshot.
///
/// Events get their numbers before their transactions commit, and transactions commit in any order. Every event that is
/// not visible in the snapshot therefore counts as new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

macro_rules! select {
    ($($more:literal),+) => {
        concat!(
            "select e.id, e.at, e.kind, e.actor, c.name as campaign, a.external_id as account, e.before, e.after, e.reason,
                    e.detail, e.revision_id as revision
             from event e left join campaign c on c.id = e.campaign_id left join account a on a.id = e.account_id
             where ($1::text is null or c.name = $1
                    or e.kind = 'revision-applied' and exists (
                         select from revision r where r.id = e.revision_id
                           and r.plan @> jsonb_build_array(jsonb_build_object('kind', 'Campaign', 'name', $1))))
               and ($2::text is null or a.external_id = $2) and ($3::timestamptz is null or e.at >= $3) ",
            $($more),+
        )
    };
}

const OPERATION: &str = "read the log";

impl Store {
    /// Returns the last `limit` events, oldest first, with the cursor after them.
    pub async fn log(&self, of: &LogOf, limit: Option<i64>) -> Result<(Vec<Line>, Cursor), Error> {
        let mut tx = self.looking().await?;
        let cursor = here(&mut tx).await?;
        let mut rows: Vec<Row> = sqlx::query_as(select!("order by e.at desc, e.id desc limit $4"))
            .bind(&of.campaign)
            .bind(&of.account)
            .bind(of.since)
            .bind(limit)
            .fetch_all(&mut *tx)
            .await
            .map_err(Error::during(OPERATION))?;
        rows.reverse();
        Ok((rows.into_iter().map(Row::line).collect(), cursor))
    }

    /// Returns the last `limit` events before `place`, newest first.
    pub async fn log_before(&self, of: &LogOf, place: Option<LogPlace>, limit: i64) -> Result<Vec<Line>, Error> {
        let rows: Vec<Row> = sqlx::query_as(select!(
            "and ($4::timestamptz is null or (e.at, e.id) < ($4, $5::bigint)) order by e.at desc, e.id desc limit $6"
        ))
        .bind(&of.campaign)
        .bind(&of.account)
        .bind(of.since)
        .bind(place.map(|place| place.at))
        .bind(place.map(|place| place.id))
        .bind(limit)
        .persistent(false)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during(OPERATION))?;
        Ok(rows.into_iter().map(Row::line).collect())
    }

    /// Returns the events that were not visible at `cursor`, each exactly once, with the cursor after them.
    pub async fn log_after(&self, of: &LogOf, cursor: &Cursor) -> Result<(Vec<Line>, Cursor), Error> {
        let mut tx = self.looking().await?;
        let next = here(&mut tx).await?;
        let rows: Vec<Row> = sqlx::query_as(select!(
            "and e.xid >= pg_snapshot_xmin($4::pg_snapshot) and not pg_visible_in_snapshot(e.xid, $4::pg_snapshot)
             order by e.at, e.id"
        ))
        .bind(&of.campaign)
        .bind(&of.account)
        .bind(of.since)
        .bind(&cursor.0)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during(OPERATION))?;
        Ok((rows.into_iter().map(Row::line).collect(), next))
    }
}

/// Returns the cursor of this transaction's snapshot.
async fn here(tx: &mut PgConnection) -> Result<Cursor, Error> {
    let snapshot = sqlx::query_scalar("select pg_current_snapshot()::text").fetch_one(tx).await;
    snapshot.map(Cursor).map_err(Error::during(OPERATION))
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    at: Timestamp,
    #[sqlx(try_from = "String")]
    kind: EventKind,
    actor: Option<String>,
    campaign: Option<String>,
    account: Option<String>,
    before: Option<String>,
    after: Option<String>,
    reason: Option<String>,
    #[sqlx(json)]
    detail: Detail,
    revision: Option<i32>,
}

impl Row {
    fn line(self) -> Line {
        let Self { id, at, kind, actor, campaign, account, before, after, reason, detail, revision } = self;
        let sentence = detail.to_string();
        let (id, kind) = (Some(id), LineKind::Event(kind));
        let (referral, day) = (None, None);
        Line { id, at, kind, actor, campaign, account, referral, day, before, after, reason, sentence, revision }
    }
}
