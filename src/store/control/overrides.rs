//! Overrides: an operator's order and its effect on the runs concerned are committed together.
//!
//! Locks: first all overrides, so that no run is advanced meanwhile and no new run misses the order; then the lanes of
//! all accounts concerned, in one pass.

use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgConnection;

use crate::core::dispatch::program::Program;
use crate::core::domain::{AccountId, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::event::EventKind;
use crate::core::lifecycle::overrides::{Action, Override, Scope, StandingOrder};
use crate::core::lifecycle::run::Phase;
use crate::store::event::{Event, tell};
use crate::store::generation::in_force;
use crate::store::lock::{lock_lanes, lock_overrides};
use crate::store::rows::{decode, strange};
use crate::store::runs::advance::look_at;
use crate::store::runs::override_rows::{end_overrides, find};
use crate::store::runs::restriction_lift::{lift_for, waiting};
use crate::store::runs::scene::{Replaced, Scene};
use crate::store::schedule::wake::check_scope;
use crate::store::send::refusal::lift_halt;
use crate::store::{Error, Store};

/// The batch limit in accounts whose runs are advanced together.
const BATCH: usize = 2_000;

/// The result of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ordered {
    Done(Outcome),
    /// The order is invalid, for this reason.
    Refused(&'static str),
    /// The program is no longer in force: the caller reloads it and retries.
    Outdated,
}

/// The changes made by an order or by its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The action of the previous order.
    pub before: Option<Action>,
    /// The present phases of the runs concerned, except those that had already ended.
    pub runs: Vec<Group>,
    /// People who left because of it.
    pub exited: i64,
    /// Provider restrictions that were lifted.
    pub lifted: Vec<Detail>,
}

/// Runs with the same phase and reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, sqlx::FromRow)]
pub struct Group {
    #[sqlx(try_from = "String")]
    pub phase: Phase,
    pub reason: String,
    /// The detail of one of the runs.
    #[serde(rename = "message", serialize_with = "Detail::as_sentence")]
    #[schemars(with = "String")]
    #[sqlx(json)]
    pub detail: Detail,
    pub runs: i64,
    /// Active people in them.
    pub people: i64,
}

/// The unfinished runs of a scope.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Concerned {
    pub runs: i64,
    /// Active people in them.
    pub people: i64,
}

impl Store {
    /// Sets `order` in place of any previous order for its scope, and moves the runs concerned accordingly. One
    /// transaction.
    pub async fn set_override(&self, program: &Program, order: &Override, now: Timestamp) -> Result<Ordered, Error> {
        if let Some(fault) = order.fault(now) {
            return Ok(Ordered::Refused(fault));
        }
        self.order(program, (order.scope, Some(order)), &order.actor, now).await
    }

    /// Clears the order for `scope` in the name of `actor`: its runs follow their manifests again. One transaction.
    pub async fn clear_override(
        &self,
        program: &Program,
        scope: Scope,
        actor: &str,
        now: Timestamp,
    ) -> Result<Ordered, Error> {
        self.order(program, (scope, None), actor, now).await
    }

    /// Returns the order set for exactly `scope` at `now`.
    pub async fn override_of(&self, scope: Scope, now: Timestamp) -> Result<Option<Override>, Error> {
        let mut db = self.pool.acquire().await.map_err(Error::during("read an override"))?;
        Ok(find(&mut db, scope, now).await?.map(|standing| standing.order))
    }

    /// Counts the runs and people that an order for `scope` concerns.
    pub async fn concerned(&self, scope: Scope) -> Result<Concerned, Error> {
        let mut db = self.pool.acquire().await.map_err(Error::during("count the people under an override"))?;
        concerned(&mut db, scope).await
    }

    /// Returns the phases of the runs of `scope`, each once.
    pub async fn run_phases(&self, scope: Scope) -> Result<Vec<Phase>, Error> {
        let phases: Vec<String> = sqlx::query_scalar(
            "select distinct phase from run
             where ($1::int is null or account_id = $1) and ($2::int is null or campaign_id = $2) order by phase",
        )
        .bind(scope.account().map(|account| account.0))
        .bind(scope.campaign().map(|campaign| campaign.0))
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read the phases of runs"))?;
        let known = |phase: String| Phase::parse(&phase).ok_or_else(|| strange("a phase", &phase));
        phases.into_iter().map(known).collect::<Result<_, _>>().map_err(decode("read the phases of runs"))
    }

    /// Replaces the order for `scope` by `order`, in the name of `actor`.
    async fn order(
        &self,
        program: &Program,
        (scope, order): (Scope, Option<&Override>),
        actor: &str,
        now: Timestamp,
    ) -> Result<Ordered, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin an override"))?;
        lock_overrides(&mut tx).await?;
        let goes_on = order.is_some_and(|order| matches!(order.action, Action::Resume | Action::Start));
        let accounts = accounts_of(&mut tx, scope).await?;
        // A provider restriction may also affect runs outside the scope.
        let others = if goes_on { waiting(&mut tx).await? } else { Vec::new() };
        lock_lanes(&mut tx, &[accounts.as_slice(), &others].concat()).await?;
        if !in_force(&mut tx, program).await? {
            return Ok(Ordered::Outdated);
        }
        end_overrides(&mut tx, now).await?;
        let before = find(&mut tx, scope, now).await?;
        let people = concerned(&mut tx, scope).await?.people;
        let by = match replace(&mut tx, scope, order, now).await? {
            Some(standing) => standing.detail(),
            None => Detail::OrderCleared { actor: actor.to_owned() },
        };
        let mut lifted = Vec::new();
        if goes_on {
            lifted = lift_for(&mut tx, scope, program, now).await?;
        }
        if let Some(account) = scope.account().filter(|_| goes_on) {
            lift_halt(&mut tx, account, now).await?;
        }
        let replaced = before.as_ref().map(|before| Replaced { order: before.id, by: &by, actor });
        let before = before.as_ref().map(|before| before.order.action);
        tell(&mut tx, &[order_event(scope, before, order, (by.clone(), actor))], now).await?;
        check_scope(&mut tx, scope, now).await?;
        let scene = Scene::of(program);
        for accounts in accounts.chunks(BATCH) {
            let accounts: Vec<i32> = accounts.iter().map(|account| account.0).collect();
            look_at(&mut tx, &accounts, &scene, replaced.as_ref(), now).await?;
        }
        let runs = groups(&mut tx, scope, now).await?;
        let exited = people - runs.iter().map(|group| group.people).sum::<i64>();
        let outcome = Outcome { before, runs, exited, lifted };
        self.answer(&mut tx, &outcome).await?;
        tx.commit().await.map_err(Error::during("commit an override"))?;
        Ok(Ordered::Done(outcome))
    }
}

/// Builds the event for an order or for its end.
fn order_event(scope: Scope, before: Option<Action>, order: Option<&Override>, (by, actor): (Detail, &str)) -> Event {
    let kind = if order.is_some() { EventKind::OverrideSet } else { EventKind::OverrideCleared };
    Event {
        account: scope.account(),
        campaign: scope.campaign(),
        before: before.map(|action| action.to_string()),
        after: order.map(|order| order.action.to_string()),
        reason: order.map(|order| order.reason.clone()),
        ..Event::new(kind, Some(actor), by)
    }
}

/// Returns the accounts with an unfinished run of `scope`.
async fn accounts_of(tx: &mut PgConnection, scope: Scope) -> Result<Vec<AccountId>, Error> {
    let accounts: Vec<i32> = sqlx::query_scalar(
        "select distinct account_id from run
         where ($1::int is null or account_id = $1) and ($2::int is null or campaign_id = $2) and finished_at is null
         order by account_id",
    )
    .bind(scope.account().map(|account| account.0))
    .bind(scope.campaign().map(|campaign| campaign.0))
    .fetch_all(tx)
    .await
    .map_err(Error::during("look for the accounts of an override"))?;
    Ok(accounts.into_iter().map(AccountId).collect())
}

async fn concerned(tx: &mut PgConnection, scope: Scope) -> Result<Concerned, Error> {
    sqlx::query_as(
        "select count(*) as runs,
                coalesce(sum((select count(*) from target t where t.account_id = r.account_id
                              and t.campaign_id = r.campaign_id and t.state = 'active')), 0)::bigint as people
         from run r
         where ($1::int is null or account_id = $1) and ($2::int is null or campaign_id = $2) and finished_at is null",
    )
    .bind(scope.account().map(|account| account.0))
    .bind(scope.campaign().map(|campaign| campaign.0))
    .fetch_one(tx)
    .await
    .map_err(Error::during("count the people under an override"))
}

/// Replaces the order for `scope`, and returns the new one as it is stored.
async fn replace(
    tx: &mut PgConnection,
    scope: Scope,
    order: Option<&Override>,
    now: Timestamp,
) -> Result<Option<StandingOrder>, Error> {
    let (account, campaign) = (scope.account().map(|id| id.0), scope.campaign().map(|id| id.0));
    sqlx::query(
        "delete from override
         where coalesce(account_id, 0) = coalesce($1, 0) and coalesce(campaign_id, 0) = coalesce($2, 0)",
    )
    .bind(account)
    .bind(campaign)
    .execute(&mut *tx)
    .await
    .map_err(Error::during("clear an override"))?;
    let Some(order) = order else { return Ok(None) };
    let id = sqlx::query_scalar(
        "insert into override (account_id, campaign_id, action, actor, reason, created_at, until)
         values ($1, $2, $3, $4, $5, $6, $7) returning id",
    )
    .bind(account)
    .bind(campaign)
    .bind(order.action.as_str())
    .bind(&order.actor)
    .bind(&order.reason)
    .bind(now)
    .bind(order.until)
    .fetch_one(tx)
    .await
    .map_err(Error::during("save an override"))?;
    Ok(Some(StandingOrder { id, order: order.clone() }))
}

/// Groups the runs of `scope` that had not ended before `now` by phase and reason.
pub(super) async fn groups(tx: &mut PgConnection, scope: Scope, now: Timestamp) -> Result<Vec<Group>, Error> {
    sqlx::query_as(
        "select phase, reason, (array_agg(detail order by account_id, campaign_id))[1] as detail, count(*) as runs,
                sum((select count(*) from target t where t.account_id = r.account_id and t.campaign_id = r.campaign_id
                     and t.state = 'active'))::bigint as people
         from run r
         where ($1::int is null or account_id = $1) and ($2::int is null or campaign_id = $2)
           and (finished_at is null or finished_at = $3)
         group by phase, reason order by count(*) desc, phase, reason",
    )
    .bind(scope.account().map(|account| account.0))
    .bind(scope.campaign().map(|campaign| campaign.0))
    .bind(now)
    .fetch_all(tx)
    .await
    .map_err(Error::during("count runs by phase"))
}
