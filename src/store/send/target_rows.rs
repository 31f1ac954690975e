//! Target changes: the next day of those that continue, and the end of the others.
//!
//! The statements move active targets and leave ended ones alone. They repeat `lifecycle::target::step` for many rows at
//! once; `tests/it/lifecycle_table` holds both against each other.

use sqlx::PgConnection;

use crate::core::domain::{AccountId, CampaignId, ReferralId, TargetKey, Timestamp};
use crate::core::lifecycle::target::Event;
use crate::store::Error;
use crate::store::columns::{Batch, columns};
use crate::store::keys::TargetKeyRow;

/// Targets that change; see `lifecycle::target`.
#[derive(Debug, Default)]
pub(in crate::store) struct TargetRows {
    changed: Vec<ChangedRow>,
    /// Targets that continue with a day, due at an instant: nearly always all of them.
    next: Vec<NextRow>,
}

columns! {
    /// A target that ends, or is not due again.
    struct ChangedRow {
        account_id: AccountId,
        campaign_id: CampaignId,
        referral_id: ReferralId,
        state: &'static str,
        exit_reason: Option<&'static str>,
        due_at: Option<Timestamp>,
        at: Timestamp,
    }
}

columns! {
    /// The next day of a target.
    struct NextRow {
        account_id: AccountId,
        campaign_id: CampaignId,
        referral_id: ReferralId,
        day: i16,
        due_at: Timestamp,
    }
}

const SAVE_CHANGED: Batch<ChangedRow> = Batch::of(
    "update target t
     set state = u.state, exit_reason = u.exit_reason, due_at = u.due_at,
         ended_at = case when u.state = 'active' then null else u.at end
     from unnest($1::int[], $2::int[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[])
          as u (account_id, campaign_id, referral_id, state, exit_reason, due_at, at)
     where (t.account_id, t.campaign_id, t.referral_id) = (u.account_id, u.campaign_id, u.referral_id)
       and t.state = 'active'",
);

const SAVE_NEXT: Batch<NextRow> = Batch::of(
    "update target t set day = u.day, due_at = u.due_at
     from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[], $5::timestamptz[])
          as u (account_id, campaign_id, referral_id, day, due_at)
     where (t.account_id, t.campaign_id, t.referral_id) = (u.account_id, u.campaign_id, u.referral_id)
       and t.state = 'active'",
);

const CLOSE_QUEUED: Batch<TargetKeyRow> = Batch::of(
    "update message m set state = 'failed', error = coalesce(m.error || '; ', '') || 'the person left'
     from unnest($1::int[], $2::int[], $3::bigint[]) as u (account_id, campaign_id, referral_id)
     where (m.account_id, m.referral_id, m.campaign_id) = (u.account_id, u.referral_id, u.campaign_id)
       and m.state = 'queued'",
);

impl TargetRows {
    /// Records an event of a target at `at`.
    pub(in crate::store) fn push(&mut self, key: TargetKey, event: Event, at: Timestamp) {
        let TargetKey { account: account_id, campaign: campaign_id, referral: referral_id } = key;
        let (state, exit_reason, due_at) = match event {
            Event::Claimed { next: Some((day, due_at)) } | Event::GivenBack { day, due_at } => {
                let day = i16::try_from(day).unwrap_or(i16::MAX);
                self.next.push(NextRow { account_id, campaign_id, referral_id, day, due_at });
                return;
            }
            Event::Claimed { next: None } => ("active", None, None),
            Event::Held { until } => ("active", None, Some(until)),
            Event::Finished => ("completed", None, None),
            Event::Left(exit) => ("exited", Some(exit.as_str()), None),
        };
        self.changed.push(ChangedRow { account_id, campaign_id, referral_id, state, exit_reason, due_at, at });
    }

    /// Saves the changes of targets that are still active; ended targets stay unchanged.
    pub(in crate::store) async fn save(self, tx: &mut PgConnection) -> Result<(), Error> {
        if !self.next.is_empty() {
            SAVE_NEXT.query(self.next).execute(&mut *tx).await.map_err(Error::during("move targets on"))?;
        }
        if self.changed.is_empty() {
            return Ok(());
        }
        close_queued(tx, &self.changed).await?;
        SAVE_CHANGED.query(self.changed).execute(tx).await.map(drop).map_err(Error::during("save the targets"))
    }
}

/// Fails the queued retries of people who leave: they are never tried again.
async fn close_queued(tx: &mut PgConnection, changed: &[ChangedRow]) -> Result<(), Error> {
    let leaving = changed.iter().filter(|row| row.state != "active").map(|row| TargetKeyRow {
        account_id: row.account_id,
        campaign_id: row.campaign_id,
        referral_id: row.referral_id,
    });
    let leaving: Vec<TargetKeyRow> = leaving.collect();
    if leaving.is_empty() {
        return Ok(());
    }
    let closed = CLOSE_QUEUED.query(leaving).execute(tx).await;
    closed.map(drop).map_err(Error::during("close messages of people who left"))
}
