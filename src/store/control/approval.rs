//! Plans that wait for a person's approval, and the approvals.

use serde_json::Value;
use sqlx::PgConnection;

use crate::core::domain::Timestamp;
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::event::EventKind;
use crate::core::plan::render::text as show;
use crate::core::plan::{Plan, Refusal};
use crate::store::event::{Event, tell};
use crate::store::{Error, Store};

/// A plan that looks like an accident and needs approval.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Waiting {
    pub digest: String,
    /// The reason it is not applied.
    pub refusal: String,
    pub changes: Value,
    pub refused_at: Timestamp,
    pub approved_by: Option<String>,
    pub approval_reason: Option<String>,
}

/// The result of an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approved {
    /// The daemon applies the plan if it still computes the same one.
    Done(Waiting),
    /// The plan was already applied as this revision.
    CarriedOut(i32),
    /// The plan is not the one that waits; the waiting one, if any, is given.
    NotWaiting(Option<String>),
}

impl Store {
    /// Makes `plan` wait for approval, in place of any other plan. Returns true if it is already approved; `None` when
    /// this store is [fenced](Store::fenced) and another daemon took over.
    pub async fn hold_plan(&self, plan: &Plan, refusal: &Refusal, now: Timestamp) -> Result<Option<bool>, Error> {
        const OPERATION: &str = "save a plan that waits for approval";
        let mut tx = self.pool.begin().await.map_err(Error::during(OPERATION))?;
        if self.overtaken(&mut tx).await? {
            return Ok(None);
        }
        let digest = plan.digest();
        sqlx::query("delete from refused_plan where revision_id is null and digest <> $1")
            .bind(&digest)
            .execute(&mut *tx)
            .await
            .map_err(Error::during(OPERATION))?;
        let held = sqlx::query(
            "insert into refused_plan (digest, refusal, changes, refused_at) values ($1, $2, $3, $4)
             on conflict (digest) where revision_id is null do nothing",
        )
        .bind(&digest)
        .bind(refusal.to_string())
        .bind(show::changes(plan))
        .bind(now)
        .execute(&mut *tx)
        .await
        .map_err(Error::during(OPERATION))?;
        if held.rows_affected() > 0 {
            let detail = Detail::PlanRefused { plan: digest.clone(), refusal: refusal.clone() };
            tell(&mut tx, &[Event::new(EventKind::PlanRefused, self.actor(), detail)], now).await?;
        }
        let approved = sqlx::query_scalar(
            "select approved_at is not null from refused_plan where revision_id is null and digest = $1",
        )
        .bind(&digest)
        .fetch_one(&mut *tx)
        .await
        .map_err(Error::during(OPERATION))?;
        tx.commit().await.map_err(Error::during(OPERATION))?;
        Ok(Some(approved))
    }

    /// Removes the waiting plan, because no change or no approval is needed any more. Returns `false` when a plan
    /// waits, this store is [fenced](Store::fenced), and another daemon took over.
    pub async fn drop_waiting_plan(&self) -> Result<bool, Error> {
        const OPERATION: &str = "delete a waiting plan";
        // The lease is locked only when there is something to write.
        if self.waiting_plan().await?.is_none() {
            return Ok(true);
        }
        let mut tx = self.pool.begin().await.map_err(Error::during(OPERATION))?;
        if self.overtaken(&mut tx).await? {
            return Ok(false);
        }
        sqlx::query("delete from refused_plan where revision_id is null")
            .execute(&mut *tx)
            .await
            .map_err(Error::during(OPERATION))?;
        tx.commit().await.map_err(Error::during(OPERATION))?;
        Ok(true)
    }

    /// Returns the waiting plan.
    pub async fn waiting_plan(&self) -> Result<Option<Waiting>, Error> {
        sqlx::query_as(
            "select digest, refusal, changes, refused_at, approved_by, approval_reason from refused_plan
             where revision_id is null order by id desc limit 1",
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(Error::during("read the plan that waits"))
    }

    /// Records the approval by `actor` of the waiting plan, if its digest is `digest`.
    pub async fn approve_plan(
        &self,
        digest: &str,
        actor: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<Approved, Error> {
        const OPERATION: &str = "approve a plan";
        let mut tx = self.pool.begin().await.map_err(Error::during(OPERATION))?;
        let approved: Option<Waiting> = sqlx::query_as(
            "update refused_plan set approved_at = $2, approved_by = $3, approval_reason = $4
             where revision_id is null and digest = $1
             returning digest, refusal, changes, refused_at, approved_by, approval_reason",
        )
        .bind(digest)
        .bind(now)
        .bind(actor)
        .bind(reason)
        .fetch_optional(&mut *tx)
        .await
        .map_err(Error::during(OPERATION))?;
        if let Some(waiting) = approved {
            let detail = Detail::PlanApproved { plan: digest.to_owned(), reason: reason.to_owned() };
            let event = Event::new(EventKind::PlanApproved, Some(actor), detail);
            tell(&mut tx, &[Event { reason: Some(reason.to_owned()), ..event }], now).await?;
            self.answer(&mut tx, &waiting).await?;
            tx.commit().await.map_err(Error::during(OPERATION))?;
            return Ok(Approved::Done(waiting));
        }
        drop(tx);
        if let Some(waiting) = self.waiting_plan().await? {
            return Ok(Approved::NotWaiting(Some(waiting.digest)));
        }
        let revision: Option<i32> = sqlx::query_scalar("select max(revision_id) from refused_plan where digest = $1")
            .bind(digest)
            .fetch_one(&self.pool)
            .await
            .map_err(Error::during(OPERATION))?;
        Ok(revision.map_or(Approved::NotWaiting(None), Approved::CarriedOut))
    }
}

/// Records that a waiting plan was applied: its approval is used up, and no plan waits any more.
pub(super) async fn carried_out(tx: &mut PgConnection, digest: &str, revision: i32) -> Result<(), Error> {
    sqlx::query(
        "with carried_out as (
             update refused_plan set revision_id = $2
             where revision_id is null and digest = $1 and approved_at is not null returning id)
         delete from refused_plan where revision_id is null and id not in (select id from carried_out)",
    )
    .bind(digest)
    .bind(revision)
    .execute(tx)
    .await
    .map_err(Error::during("mark a plan as applied"))?;
    Ok(())
}
