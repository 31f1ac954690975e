//! Target changes: the next day of those that continue, and the end of the others.
//!
//! The statements move active targets and leave ended ones alone. They repeat `lifecycle::target::step` for many rows at
//! once; `tests/it/lifecycle_table` holds both against each other.

use sqlx::PgConnection;

use crate::core::domain::{TargetKey, Timestamp};
use crate::core::lifecycle::target::Event;
use crate::store::Error;
use crate::store::keys::Keys;

/// Columns of targets that change.
#[derive(Debug, Default)]
pub(in crate::store) struct TargetRows {
    keys: Keys,
    states: Vec<&'static str>,
    exits: Vec<Option<&'static str>>,
    due_at: Vec<Option<Timestamp>>,
    at: Vec<Timestamp>,
    next: Next,
}

/// Targets that continue with a day, due at an instant: nearly always all of them.
#[derive(Debug, Default)]
struct Next {
    keys: Keys,
    days: Vec<i16>,
    due_at: Vec<Timestamp>,
}

impl TargetRows {
    /// Records an event of a target at `at`.
    pub(in crate::store) fn push(&mut self, key: TargetKey, event: Event, at: Timestamp) {
        let (state, exit, due_at) = match event {
            Event::Claimed { next: Some((day, due_at)) } | Event::GivenBack { day, due_at } => {
                self.next.keys.push(key);
                self.next.days.push(i16::try_from(day).unwrap_or(i16::MAX));
                self.next.due_at.push(due_at);
                return;
            }
            Event::Claimed { next: None } => ("active", None, None),
            Event::Held { until } => ("active", None, Some(until)),
            Event::Finished => ("completed", None, None),
            Event::Left(exit) => ("exited", Some(exit.as_str()), None),
        };
        self.keys.push(key);
        self.states.push(state);
        self.exits.push(exit);
        self.due_at.push(due_at);
        self.at.push(at);
    }

    /// Fails the queued retries of people who leave: they are never tried again.
    async fn close_queued(&self, tx: &mut PgConnection) -> Result<(), Error> {
        sqlx::query(
            "update message m set state = 'failed', error = coalesce(m.error || '; ', '') || 'the person left'
             from unnest($1::int[], $2::int[], $3::bigint[], $4::text[]) as u (account_id, campaign_id, referral_id, state)
             where (m.account_id, m.referral_id, m.campaign_id) = (u.account_id, u.referral_id, u.campaign_id)
               and u.state <> 'active' and m.state = 'queued'",
        )
        .bind(&self.keys.accounts)
        .bind(&self.keys.campaigns)
        .bind(&self.keys.referrals)
        .bind(&self.states)
        .execute(tx)
        .await
        .map_err(Error::during("close messages of who left"))?;
        Ok(())
    }

    /// Saves the changes of targets that are still active; ended targets stay unchanged.
    pub(in crate::store) async fn save(self, tx: &mut PgConnection) -> Result<(), Error> {
        self.next.save(tx).await?;
        if self.states.is_empty() {
            return Ok(());
        }
        if self.states.iter().any(|state| *state != "active") {
            self.close_queued(tx).await?;
        }
        sqlx::query(
            "update target t
             set state = u.state, exit_reason = u.exit_reason, due_at = u.due_at,
                 ended_at = case when u.state = 'active' then null else u.at end
             from unnest($1::int[], $2::int[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[])
                  as u (account_id, campaign_id, referral_id, state, exit_reason, due_at, at)
             where (t.account_id, t.campaign_id, t.referral_id) = (u.account_id, u.campaign_id, u.referral_id)
               and t.state = 'active'",
        )
        .bind(self.keys.accounts)
        .bind(self.keys.campaigns)
        .bind(self.keys.referrals)
        .bind(self.states)
        .bind(self.exits)
        .bind(self.due_at)
        .bind(self.at)
        .execute(tx)
        .await
        .map_err(Error::during("save the targets"))?;
        Ok(())
    }
}

impl Next {
    async fn save(&self, tx: &mut PgConnection) -> Result<(), Error> {
        if self.days.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "update target t set day = u.day, due_at = u.due_at
             from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[], $5::timestamptz[])
                  as u (account_id, campaign_id, referral_id, day, due_at)
             where (t.account_id, t.campaign_id, t.referral_id) = (u.account_id, u.campaign_id, u.referral_id)
               and t.state = 'active'",
        )
        .bind(&self.keys.accounts)
        .bind(&self.keys.campaigns)
        .bind(&self.keys.referrals)
        .bind(&self.days)
        .bind(&self.due_at)
        .execute(tx)
        .await
        .map_err(Error::during("have targets go on"))?;
        Ok(())
    }
}
