//! Claiming: what is due leaves its lane, in one transaction for many lanes.
//!
//! The row of a lane is the lock of its account: whoever changes runs or targets of an account holds it. So the
//! caps, the pace and "one message a day" of an account are decided by one transaction at a time, however many
//! processes send, and lanes that another process holds are skipped, not waited for.

use sqlx::PgConnection;

use super::due::Asked;
use super::lane_rows::{LaneRow, LaneRunRow, lane_columns, lane_run_columns};
use super::terms::{Batch, ClaimedLane, Runs, Span, Terms};
use crate::core::dispatch::OutgoingMessage;
use crate::core::dispatch::lane;
use crate::core::dispatch::lane::{Lane, Selection};
use crate::core::dispatch::program::Program;
use crate::core::domain::AccountId;
use crate::store::conversation;
use crate::store::generation::in_force;
use crate::store::rows::decode;
use crate::store::{Error, Store};

/// What a claim brought.
#[derive(Debug, Default)]
pub struct Claim {
    pub messages: Vec<OutgoingMessage>,
    /// Lanes that were looked at: 0 means that nothing is due now.
    pub lanes: usize,
    /// Lanes that were locked for nothing, as there was no room left for them.
    pub passed_over: usize,
    /// People who were due in one of the lanes, at most.
    pub crowd: usize,
    /// The manifests have changed: nothing was claimed, the program must be loaded again.
    pub stale: bool,
}

impl Store {
    /// Claims due messages of up to `batch.lanes` lanes: the gate is asked for each person, quota is taken, the
    /// target moves on to its next day, and the attempt is durable, all in one transaction.
    ///
    /// Paid, consent and suppression are read in that transaction. A message that was claimed before and may have
    /// left is never claimed again.
    pub async fn claim(&self, program: &Program, batch: Batch, span: Span, terms: Terms<'_>) -> Result<Claim, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin a claim"))?;
        let lanes = claim_lanes(&mut tx, program, batch.lanes, span, terms.busy).await?;
        let Some(lanes) = lanes else { return Ok(Claim { stale: true, ..Claim::default() }) };
        if lanes.is_empty() {
            return Ok(Claim::default());
        }
        let runs = active_runs(&mut tx, &lanes).await?;
        let (asked, passed_over) = Asked::of(&lanes, &runs, program, batch);
        let mut due = asked.due(&mut tx, program).await?;
        let crowd = due.values().map(|due| due.candidates.len()).max().unwrap_or_default();
        let none = Vec::new();
        let draws: Vec<(&Lane, Selection)> = lanes
            .iter()
            .filter(|turn| !passed_over.contains(&turn.lane.account))
            .map(|ClaimedLane { lane, at }| {
                let due = due.remove(&lane.account).unwrap_or_default();
                (lane, lane::draw(lane, runs.get(&lane.account).unwrap_or(&none), due, program, *at))
            })
            .collect();
        let mut messages = super::claim_write::save(&mut tx, &draws, program.revision, terms).await?;
        let asks = |message: &&mut OutgoingMessage| {
            message.channel.as_ref().is_some_and(|channel| program.conversational.contains(channel))
        };
        conversation::mark(&mut tx, messages.iter_mut().filter(asks).collect()).await?;
        tx.commit().await.map_err(Error::during("commit a claim"))?;
        Ok(Claim { messages, lanes: draws.len(), passed_over: passed_over.len(), crowd, stale: false })
    }
}

/// Locks lanes that are due for a look; `None` when `program` is not what is in force. What holds for them is read by a
/// statement of its own: one that waits for no lock, yet began before it had this one, would miss what was just decided.
async fn claim_lanes(
    tx: &mut PgConnection,
    program: &Program,
    most: u32,
    span: Span,
    busy: &[AccountId],
) -> Result<Option<Vec<ClaimedLane>>, Error> {
    let locked: Vec<i32> = sqlx::query_scalar(
        "select account_id from lane where wake_at <= $1 and account_id <> all($3)
         order by wake_at limit $2 for update skip locked",
    )
    .bind(span.to())
    .bind(i64::from(most))
    .bind(busy.iter().map(|account| account.0).collect::<Vec<_>>())
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::during("claim lanes"))?;
    if !in_force(tx, program).await? {
        return Ok(None);
    }
    if locked.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let rows: Vec<LaneRow> = sqlx::query_as(concat!(
        "select ",
        lane_columns!(),
        " from lane l join account a on a.id = l.account_id where l.account_id = any($1) order by l.wake_at"
    ))
    .bind(locked)
    .fetch_all(tx)
    .await
    .map_err(Error::during("read the claimed lanes"))?;
    let turn = |row: LaneRow| {
        // Whoever was waiting for an instant that is over is looked at now.
        let at = row.wake_at.map_or(span.from(), |wake_at| wake_at.max(span.from()));
        Ok(ClaimedLane { lane: row.lane(&program.policies)?, at })
    };
    rows.into_iter().map(turn).collect::<Result<_, sqlx::Error>>().map(Some).map_err(decode("read the claimed lanes"))
}

async fn active_runs(tx: &mut PgConnection, lanes: &[ClaimedLane]) -> Result<Runs, Error> {
    let rows: Vec<LaneRunRow> = sqlx::query_as(concat!(
        "select ",
        lane_run_columns!(),
        " from run where account_id = any($1) and phase = 'active'"
    ))
    .bind(lanes.iter().map(|turn| turn.lane.account.0).collect::<Vec<_>>())
    .fetch_all(tx)
    .await
    .map_err(Error::during("read the runs of the lanes"))?;
    let mut runs = Runs::new();
    for row in rows {
        let (account, run) = row.run().map_err(decode("read the runs of the lanes"))?;
        runs.entry(account).or_default().push(run);
    }
    Ok(runs)
}
