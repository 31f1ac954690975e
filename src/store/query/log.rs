//! The log: what happened to what teams and operators decide, in order, and what happened since it was last read.

use serde::Serialize;
use sqlx::PgConnection;

use super::{Entry, EntryKind, Error, Store};
use crate::core::domain::Timestamp;
use crate::core::lifecycle::event::EventKind;

/// Which events are wanted; `None` does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOf {
    /// By name: also the revisions that changed it.
    pub campaign: Option<String>,
    /// External id.
    pub account: Option<String>,
    pub since: Option<Timestamp>,
}

/// One line of the log: `log -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Line {
    /// Null for what is read off a person's messages.
    pub id: Option<i64>,
    pub at: Timestamp,
    pub kind: LineKind,
    /// Null: nobody in particular.
    pub actor: Option<String>,
    pub campaign: Option<String>,
    /// External id; null: all, or none.
    pub account: Option<String>,
    pub referral: Option<String>,
    /// Of the sequence.
    pub day: Option<i16>,
    /// The phase of a run, or what was ordered.
    pub before: Option<String>,
    pub after: Option<String>,
    /// Machine-readable for runs; for what a person did, in their words.
    pub reason: Option<String>,
    pub sentence: String,
    /// By which it went, or which it made.
    pub revision: Option<i32>,
}

/// What a line is about.
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

/// How far the log was read. Events are numbered before their transactions end, and these end in any order: what was
/// read is what was visible, so this is a snapshot, and whatever is not visible in it comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

macro_rules! select {
    ($($more:literal),+) => {
        concat!(
            "select e.id, e.at, e.kind, e.actor, c.name as campaign, a.external_id as account, e.before, e.after, e.reason,
                    e.message as sentence, e.revision_id as revision
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
    /// The last `limit` events, oldest first, and where they end.
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

    /// The events that were not there at `cursor`, each exactly once, and where they end.
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

/// What is visible in this transaction.
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
    sentence: String,
    revision: Option<i32>,
}

impl Row {
    fn line(self) -> Line {
        let Self { id, at, kind, actor, campaign, account, before, after, reason, sentence, revision } = self;
        let (id, kind) = (Some(id), LineKind::Event(kind));
        let (referral, day) = (None, None);
        Line { id, at, kind, actor, campaign, account, referral, day, before, after, reason, sentence, revision }
    }
}
