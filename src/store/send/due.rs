//! People due in the lanes of a claim.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::PgConnection;

use super::lane_rows::{CandidateRow, candidate_columns, candidate_messages, recipient_columns};
use super::terms::{Batch, ClaimedLane, Runs};
use crate::core::dispatch::lane;
use crate::core::dispatch::lane::{Due, LaneRun};
use crate::core::dispatch::program::Program;
use crate::core::domain::{AccountId, CampaignId, Timestamp};
use crate::store::Error;
use crate::store::rows::decode;

/// Per-run row limits of the due query.
#[derive(Default)]
pub(super) struct Asked {
    accounts: Vec<i32>,
    campaigns: Vec<i32>,
    most: Vec<i64>,
    instants: Vec<Timestamp>,
}

impl Asked {
    /// Distributes the room of the batch by priority, since room is scarce. Returns the lanes that got none: they stay
    /// unchanged and are examined first next time.
    pub(super) fn of(
        lanes: &[ClaimedLane],
        runs: &Runs,
        program: &Program,
        batch: Batch,
    ) -> (Self, HashSet<AccountId>) {
        let (mut asked, mut passed_over) = (Self::default(), HashSet::new());
        let mut room = i64::try_from(batch.messages).unwrap_or(i64::MAX);
        for ClaimedLane { lane, at } in lanes {
            let mut first: Vec<&LaneRun> = runs.get(&lane.account).into_iter().flatten().collect();
            first.sort_by_key(|run| (priority(program, run.campaign), run.campaign));
            let was_full = room == 0;
            for run in first {
                let batch_limit = i64::from(lane::batch_limit(lane, run, program, *at, batch.people));
                let most = batch_limit.min(room);
                if most > 0 {
                    asked.accounts.push(lane.account.0);
                    asked.campaigns.push(run.campaign.0);
                    asked.most.push(most);
                    asked.instants.push(*at);
                    room -= most;
                } else if batch_limit > 0 && was_full {
                    passed_over.insert(lane.account);
                }
            }
        }
        (asked, passed_over)
    }

    /// Returns the due people by lane.
    pub(super) async fn due(self, tx: &mut PgConnection, program: &Program) -> Result<BTreeMap<AccountId, Due>, Error> {
        let rows: Vec<CandidateRow> = sqlx::query_as(concat!(
            "select ",
            candidate_columns!(),
            ", ",
            recipient_columns!(),
            " from unnest($1::int[], $2::int[], $3::bigint[], $4::timestamptz[]) as q (account_id, campaign_id, most, at)
             cross join lateral (
                select * from target t
                where t.account_id = q.account_id and t.campaign_id = q.campaign_id and t.state = 'active'
                  and t.due_at <= q.at
                order by t.due_at, t.referral_id limit q.most) t
             join referral r on r.account_id = t.account_id and r.id = t.referral_id
             ",
            candidate_messages!()
        ))
        .bind(&self.accounts)
        .bind(&self.campaigns)
        .bind(&self.most)
        .bind(&self.instants)
        .fetch_all(tx)
        .await
        .map_err(Error::during("read due targets"))?;
        let mut due: BTreeMap<AccountId, Due> = BTreeMap::new();
        let mut found: HashMap<(i32, i32), i64> = HashMap::new();
        for row in rows {
            let (account, candidate) = row.candidate().map_err(decode("read due targets"))?;
            *found.entry((account.0, candidate.campaign.0)).or_default() += 1;
            due.entry(account).or_default().candidates.push(candidate);
        }
        for due in due.values_mut() {
            due.candidates.sort_by_key(|c| (priority(program, c.campaign), c.due_at, c.campaign, c.referral));
        }
        for ((account, campaign), most) in self.accounts.iter().zip(&self.campaigns).zip(&self.most) {
            if found.get(&(*account, *campaign)) == Some(most) {
                due.entry(AccountId(*account)).or_default().more.push(CampaignId(*campaign));
            }
        }
        Ok(due)
    }
}

fn priority(program: &Program, campaign: CampaignId) -> i32 {
    program.campaign(campaign).map_or(i32::MAX, |program| program.spec.priority)
}
