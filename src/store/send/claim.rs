//! Claiming: due messages leave their lanes, in one transaction for many lanes.
//!
//! The row of a lane is the lock of its account: every transaction that changes runs or targets of an account holds it.
//! So one transaction at a time decides the caps, the pace and "one message a day" of an account, however many
//! processes send. Claims skip lanes that another process holds instead of waiting for them.

use sqlx::PgConnection;

use super::due::Asked;
use super::lane_rows::{LaneRow, LaneRunRow, lane_columns, lane_run_columns};
use super::terms::{Batch, ClaimedLane, Runs, Span, Terms};
use crate::core::dispatch::OutgoingMessage;
use crate::core::dispatch::lane;
use crate::core::dispatch::lane::{Lane, Selection, Send};
use crate::core::dispatch::program::Program;
use crate::core::domain::{AccountId, Timestamp};
use crate::store::conversation;
use crate::store::generation::in_force;
use crate::store::inbound::pending_stop;
use crate::store::rows::decode;
use crate::store::{Error, Store};

/// The result of a claim.
#[derive(Debug, Default)]
pub struct Claim {
    pub messages: Vec<OutgoingMessage>,
    /// Lanes examined; 0 means that nothing is due now.
    pub lanes: usize,
    /// Lanes that were locked but not used, because the batch was full.
    pub passed_over: usize,
    /// The largest number of people due in one lane.
    pub crowd: usize,
    /// The manifests have changed: nothing was claimed and the program must be reloaded.
    pub stale: bool,
}

impl Store {
    /// Claims due messages of up to `batch.lanes` lanes. One transaction asks the gate about each person, takes quota,
    /// moves the target to its next day, and makes the attempt durable.
    ///
    /// That transaction also reads payment, consent and suppression. A message that was claimed before and may have
    /// left is never claimed again. If one of the people says STOP meanwhile, the claim starts again.
    pub async fn claim(&self, program: &Program, batch: Batch, span: Span, terms: Terms<'_>) -> Result<Claim, Error> {
        loop {
            if let Some(claim) = self.claim_once(program, batch, span, terms).await? {
                return Ok(claim);
            }
        }
    }

    /// Makes a claim. Returns `None`, having written nothing, if one of its people said STOP meanwhile.
    async fn claim_once(
        &self,
        program: &Program,
        batch: Batch,
        span: Span,
        terms: Terms<'_>,
    ) -> Result<Option<Claim>, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin a claim"))?;
        let lanes = claim_lanes(&mut tx, program, batch.lanes, span, terms.busy).await?;
        let Some(lanes) = lanes else { return Ok(Some(Claim { stale: true, ..Claim::default() })) };
        if lanes.is_empty() {
            return Ok(Some(Claim::default()));
        }
        let runs = active_runs(&mut tx, &lanes).await?;
        let (asked, passed_over) = Asked::of(&lanes, &runs, program, batch);
        let mut due = asked.due(&mut tx, program).await?;
        let crowd = due.values().map(|due| due.candidates.len()).max().unwrap_or_default();
        let none = Vec::new();
        let mut selections: Vec<(&Lane, Selection)> = lanes
            .iter()
            .filter(|turn| !passed_over.contains(&turn.lane.account))
            .map(|ClaimedLane { lane, at }| {
                let due = due.remove(&lane.account).unwrap_or_default();
                (lane, lane::select(lane, runs.get(&lane.account).unwrap_or(&none), due, program, *at))
            })
            .collect();
        let sends = selections.iter_mut().flat_map(|(lane, selection)| {
            let (account, at) = (lane.account, selection.at);
            selection.sends.iter_mut().map(move |send| (account, at, send))
        });
        let asks = |(.., send): &(AccountId, Timestamp, &mut Send)| {
            send.channel.as_ref().is_some_and(|channel| program.conversational.contains(channel))
        };
        conversation::mark(&mut tx, sends.filter(asks).collect()).await?;
        let messages = super::claim_write::save(&mut tx, &selections, program.revision, terms).await?;
        let phones: Vec<&str> = messages.iter().map(|message| message.phone.as_str()).collect();
        if !phones.is_empty() && !pending_stop::is_none_of(&mut tx, &phones).await? {
            tx.rollback().await.map_err(Error::during("undo a claim"))?;
            return Ok(None);
        }
        tx.commit().await.map_err(Error::during("commit a claim"))?;
        Ok(Some(Claim { messages, lanes: selections.len(), passed_over: passed_over.len(), crowd, stale: false }))
    }
}

/// Locks lanes that are due for a look; returns `None` when `program` is not in force. A separate statement then reads
/// their state: a statement that began before it got the lock could miss a decision committed just before.
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
        // A lane whose wake-up time has passed is examined now.
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
