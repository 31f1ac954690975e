//! The gate's questions, for users who ask for the reasons. They come from the same rows and the same code as when
//! messages are claimed.

use std::collections::{BTreeMap, HashMap};

use sqlx::PgConnection;

use super::Error;
use crate::core::dispatch::gate::Question;
use crate::core::dispatch::lane;
use crate::core::dispatch::lane::{Lane, LaneRun};
use crate::core::dispatch::program::Program;
use crate::core::domain::{AccountId, TargetKey, Timestamp};
use crate::store::columns::Batch;
use crate::store::keys::TargetKeyRow;
use crate::store::rows::decode;
use crate::store::send::lane_rows::{
    CandidateRow, LaneRow, LaneRunRow, candidate_columns, candidate_messages, lane_columns, lane_run_columns,
    recipient_columns,
};

/// The gate's questions about one target.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub now: Question,
    /// The question at the due instant, as far as known now; `None` if the target is already due.
    pub when_due: Option<Question>,
    /// The earliest instant at which the message leaves, as far as known now; see [`lane::earliest`].
    pub earliest: Option<Timestamp>,
}

const WAITING: Batch<TargetKeyRow> = Batch::of(concat!(
    "select ",
    candidate_columns!(),
    ", ",
    recipient_columns!(),
    " from unnest($1::int[], $2::int[], $3::bigint[]) as q (account_id, campaign_id, referral_id)
     join target t using (account_id, campaign_id, referral_id)
     join referral r on r.account_id = t.account_id and r.id = t.referral_id
     ",
    candidate_messages!(),
    " where t.due_at is not null"
));

/// Returns the gate's question at `now` about each of `keys` that waits for a message of a campaign in force.
pub(super) async fn questions(
    tx: &mut PgConnection,
    program: &Program,
    keys: Vec<TargetKey>,
    now: Timestamp,
) -> Result<HashMap<TargetKey, Asked>, Error> {
    let accounts: Vec<i32> = keys.iter().map(|key| key.account.0).collect();
    let lanes = lanes(tx, program, &accounts).await?;
    let runs = lane_runs(tx, &accounts).await?;
    let rows: Vec<CandidateRow> = WAITING
        .query_as(keys.into_iter().map(TargetKeyRow::from))
        .fetch_all(tx)
        .await
        .map_err(Error::during("read waiting people"))?;
    let mut questions = HashMap::new();
    for row in rows {
        let (account, person) = row.candidate().map_err(decode("read waiting people"))?;
        let key = TargetKey { account, campaign: person.campaign, referral: person.referral };
        let run = runs.get(&account).and_then(|runs| runs.iter().find(|run| run.campaign == person.campaign));
        let Some((lane, run)) = lanes.get(&account).zip(run) else { continue };
        let ask = |at| lane::question(lane, run, &person, program, at);
        let when_due = if person.due_at > now { ask(person.due_at) } else { None };
        let earliest = lane::earliest(lane, run, &person, program, now.max(person.due_at));
        questions.extend(ask(now).map(|question| (key, Asked { now: question, when_due, earliest })));
    }
    Ok(questions)
}

/// Returns the lanes of `accounts`, which may contain duplicates.
pub(super) async fn lanes(
    tx: &mut PgConnection,
    program: &Program,
    accounts: &[i32],
) -> Result<BTreeMap<AccountId, Lane>, Error> {
    let rows: Vec<LaneRow> = sqlx::query_as(concat!(
        "select ",
        lane_columns!(),
        " from lane l join account a on a.id = l.account_id where l.account_id = any($1)"
    ))
    .bind(distinct(accounts))
    .fetch_all(tx)
    .await
    .map_err(Error::during("read the lanes"))?;
    let lanes: Result<Vec<Lane>, _> = rows.into_iter().map(|row| row.lane(&program.policies)).collect();
    Ok(lanes.map_err(decode("read the lanes"))?.into_iter().map(|lane| (lane.account, lane)).collect())
}

/// Returns all runs of `accounts`, in any phase.
pub(super) async fn lane_runs(
    tx: &mut PgConnection,
    accounts: &[i32],
) -> Result<BTreeMap<AccountId, Vec<LaneRun>>, Error> {
    let rows: Vec<LaneRunRow> =
        sqlx::query_as(concat!("select ", lane_run_columns!(), " from run where account_id = any($1)"))
            .bind(distinct(accounts))
            .fetch_all(tx)
            .await
            .map_err(Error::during("read the runs of the lanes"))?;
    let mut runs: BTreeMap<AccountId, Vec<LaneRun>> = BTreeMap::new();
    for row in rows {
        let (account, run) = row.run().map_err(decode("read the runs of the lanes"))?;
        runs.entry(account).or_default().push(run);
    }
    Ok(runs)
}

fn distinct(accounts: &[i32]) -> Vec<i32> {
    let mut accounts = accounts.to_vec();
    accounts.sort_unstable();
    accounts.dedup();
    accounts
}
