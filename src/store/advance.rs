//! Runs moved through their lifecycle: read, decided by the pure rules, saved with their events.

use sqlx::PgConnection;

use super::Error;
use super::overrides::overrides_of;
use super::rows::{decode, strange, zone};
use super::run::Specs;
use crate::domain::{AccountId, CampaignId, Moment, Timestamp};
use crate::lifecycle::operator::{Orders, Overrides};
use crate::lifecycle::run::{Phase, Reason, Situation, Status, next};
use crate::lifecycle::target::Exit;
use crate::manifest::desired::{Campaign, DesiredState, Enrollment};

/// Runs looked at in one go.
const BATCH: i64 = 2_000;

/// Moves runs that are due for a look to the phase that follows from what is so. The overrides are held by then.
pub(super) async fn advance(tx: &mut PgConnection, specs: &Specs<'_>, now: Timestamp) -> Result<u64, Error> {
    // The lanes first, as always: their rows are the locks of the accounts.
    let accounts: Vec<i32> = sqlx::query_scalar(
        "select account_id from lane where account_id in (
           select account_id from run where check_at <= $1 order by check_at limit $2)
         order by account_id for update skip locked",
    )
    .bind(now)
    .bind(BATCH)
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::during("lock the lanes of the runs"))?;
    if accounts.is_empty() {
        return Ok(0);
    }
    look_at(tx, &accounts, specs, None, now).await
}

/// An order that another takes the place of, and what is told of that; both are sentences.
pub(super) struct Replaced<'a> {
    pub(super) order: String,
    pub(super) by: &'a str,
}

/// Does so for `accounts`, whose lanes are locked by then. Returns how many runs changed phase.
pub(super) async fn look_at(
    tx: &mut PgConnection,
    accounts: &[i32],
    specs: &Specs<'_>,
    replaced: Option<&Replaced<'_>>,
    now: Timestamp,
) -> Result<u64, Error> {
    let overrides = overrides_of(tx, accounts).await?;
    let capped: Vec<i32> = specs.iter().filter(|(_, spec)| spec.limits.targets.is_some()).map(|(id, _)| id.0).collect();
    let rows: Vec<RunRow> = sqlx::query_as(
        "select r.account_id, r.campaign_id, r.phase, r.reason, r.message, r.started_at, a.timezone, r.passes,
                r.last_pass_found, coalesce(r.enroll_at <= $2, false) as pass_due, a.external_id, a.attributes as labels,
                coalesce(r.fault_revision_id = r.revision_id, false) as faulty,
                c.removed_at is not null as removed,
                exists (select from target t where t.account_id = r.account_id and t.campaign_id = r.campaign_id
                                               and t.state = 'active') as active,
                case when r.campaign_id = any($3) then (
                  select count(*) from target t
                  where t.account_id = r.account_id and t.campaign_id = r.campaign_id) else 0 end as taken
         from run r join account a on a.id = r.account_id join campaign c on c.id = r.campaign_id
         where r.account_id = any($1) and r.check_at <= $2",
    )
    .bind(accounts)
    .bind(now)
    .bind(capped)
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::during("read the runs to look at"))?;

    let looks: Result<Vec<Look>, sqlx::Error> =
        rows.into_iter().filter_map(|row| row.look(specs, &overrides, replaced, now)).collect();
    let looks = looks.map_err(decode("read the runs to look at"))?;
    let changed = looks.iter().filter(|look| look.after.phase != look.before).count() as u64;
    exit_targets(tx, &looks, now).await?;
    save(tx, &looks, now).await?;
    Ok(changed)
}

#[derive(sqlx::FromRow)]
#[expect(clippy::struct_excessive_bools, reason = "columns of a query")]
struct RunRow {
    account_id: i32,
    campaign_id: i32,
    phase: String,
    reason: String,
    message: String,
    started_at: Option<Timestamp>,
    timezone: String,
    passes: i32,
    last_pass_found: Option<i32>,
    pass_due: bool,
    external_id: String,
    labels: serde_json::Value,
    taken: i64,
    active: bool,
    faulty: bool,
    removed: bool,
}

/// A run that was looked at.
struct Look {
    account: AccountId,
    campaign: CampaignId,
    before: Phase,
    after: Status,
    /// The sentence of its event, if there is one.
    told: String,
    /// When it is worth another look though nothing happens to it.
    check_at: Option<Timestamp>,
}

impl RunRow {
    /// `None` for a campaign that this process does not know yet.
    fn look(
        self,
        specs: &Specs<'_>,
        overrides: &Overrides,
        replaced: Option<&Replaced<'_>>,
        now: Timestamp,
    ) -> Option<Result<Look, sqlx::Error>> {
        let spec = specs.get(&CampaignId(self.campaign_id)).copied();
        if spec.is_none() && !self.removed {
            return None;
        }
        let (account, campaign) = (AccountId(self.account_id), CampaignId(self.campaign_id));
        Some(self.decide(spec, overrides.about(account, campaign), replaced, now))
    }

    fn decide(
        self,
        spec: Option<&Campaign>,
        orders: Orders<'_>,
        replaced: Option<&Replaced<'_>>,
        now: Timestamp,
    ) -> Result<Look, sqlx::Error> {
        let phase = Phase::parse(&self.phase).ok_or_else(|| strange("a phase", &self.phase))?;
        let reason = Reason::parse(&self.reason).ok_or_else(|| strange("a reason", &self.reason))?;
        let status = Status { phase, reason, message: self.message };
        let zone = match spec.and_then(|spec| spec.schedule.timezone.clone()) {
            Some(zone) => zone,
            None => zone(&self.timezone)?,
        };
        let moment = |moment: Option<Moment>| moment.map(|moment| moment.at(&zone));
        let situation = Situation {
            wanted: spec.map_or(DesiredState::Cancelled, |spec| spec.state),
            removed: self.removed,
            operator: orders.at(now).cloned(),
            selected: spec.is_none_or(|spec| spec.accounts.selects(&self.external_id, &self.labels)),
            started: self.started_at.is_some(),
            start_at: moment(spec.and_then(|spec| spec.schedule.start_at)),
            end_at: moment(spec.and_then(|spec| spec.schedule.end_at)),
            enrollment: spec.map_or(Enrollment::Once, |spec| spec.enrollment),
            passes: self.passes.unsigned_abs(),
            pass_due: self.pass_due,
            last_pass_found: self.last_pass_found.unwrap_or_default().unsigned_abs(),
            target_cap_reached: spec
                .and_then(|spec| spec.limits.targets)
                .is_some_and(|cap| self.taken >= i64::from(cap)),
            has_active_targets: self.active,
            template_error: (self.faulty && status.reason == Reason::TemplateError).then(|| status.message.clone()),
        };
        let after = next(&status, &situation, now);
        let check_at = match after.phase {
            Phase::Scheduled => situation.start_at,
            Phase::Active | Phase::Paused => situation.end_at,
            Phase::Draft | Phase::Completed | Phase::Cancelled => None,
        };
        let over = orders.change_at(now).filter(|_| !after.phase.is_final());
        let check_at = [check_at, over].into_iter().flatten().filter(|at| *at > now).min();
        let told = told(&status, &after, orders, replaced, now);
        let (account, campaign) = (AccountId(self.account_id), CampaignId(self.campaign_id));
        Ok(Look { account, campaign, before: phase, after, told, check_at })
    }
}

/// What is told of a change: why the run is where it is now and, if an order kept it where it was, what became of that.
fn told(
    before: &Status,
    after: &Status,
    orders: Orders<'_>,
    replaced: Option<&Replaced<'_>>,
    now: Timestamp,
) -> String {
    if before.reason == Reason::Operator && before.message != after.message {
        if let Some(replaced) = replaced.filter(|one| one.order == before.message && one.by != after.message) {
            return format!("{}; {}", replaced.by, after.message);
        }
        if orders.ended(&before.message, now) {
            return format!("the time of the order is over; {}", after.message);
        }
    }
    after.message.clone()
}

/// Whoever is still active in a run that is over leaves it.
async fn exit_targets(tx: &mut PgConnection, looks: &[Look], now: Timestamp) -> Result<(), Error> {
    let over: Vec<&Look> = looks.iter().filter(|look| look.after.phase.is_final()).collect();
    if over.is_empty() {
        return Ok(());
    }
    let exit = |look: &&Look| match look.after.phase {
        Phase::Cancelled => Exit::Cancelled.as_str(),
        Phase::Draft | Phase::Scheduled | Phase::Active | Phase::Paused | Phase::Completed => Exit::Expired.as_str(),
    };
    sqlx::query(
        "with gone as (
           update target t set state = 'exited', exit_reason = u.exit, due_at = null, ended_at = $4
           from unnest($1::int[], $2::int[], $3::text[]) as u (account_id, campaign_id, exit)
           where t.account_id = u.account_id and t.campaign_id = u.campaign_id and t.state = 'active'
           returning t.account_id, t.referral_id, t.campaign_id)
         update message m set state = 'failed', error = coalesce(m.error || '; ', '') || 'the person left'
         from gone g
         where (m.account_id, m.referral_id, m.campaign_id) = (g.account_id, g.referral_id, g.campaign_id)
           and m.state = 'queued'",
    )
    .bind(over.iter().map(|look| look.account.0).collect::<Vec<_>>())
    .bind(over.iter().map(|look| look.campaign.0).collect::<Vec<_>>())
    .bind(over.iter().map(exit).collect::<Vec<_>>())
    .bind(now)
    .execute(tx)
    .await
    .map_err(Error::during("have the targets of finished runs leave"))?;
    Ok(())
}

/// Saves what the looks came to; a phase, a reason or an order that is new is an event.
async fn save(tx: &mut PgConnection, looks: &[Look], now: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "with looked as (
           select * from unnest($1::int[], $2::int[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $9::text[])
                         as u (account_id, campaign_id, phase, reason, message, check_at, told)),
         lanes as (update lane set wake_at = least(wake_at, $7) where account_id = any($8)),
         events as (
           insert into event (account_id, campaign_id, at, kind, phase_before, phase_after, reason, message, revision_id)
           select r.account_id, r.campaign_id, $7, 'run-phase', r.phase, u.phase, u.reason, u.told, r.revision_id
           from looked u join run r on r.account_id = u.account_id and r.campaign_id = u.campaign_id
           where (r.phase, r.reason) <> (u.phase, u.reason)
              or (u.reason = 'operator' and r.message <> u.message))
         update run r
         set phase = u.phase, reason = u.reason, message = u.message, check_at = u.check_at,
             started_at = case when u.phase = 'active' then coalesce(r.started_at, $7) else r.started_at end,
             finished_at = case when u.phase in ('completed', 'cancelled') then coalesce(r.finished_at, $7) end,
             enroll_at = case when u.phase = 'active' and r.phase <> 'active' then $7
                              when u.phase in ('completed', 'cancelled') then null else r.enroll_at end
         from looked u where r.account_id = u.account_id and r.campaign_id = u.campaign_id",
    )
    .bind(looks.iter().map(|look| look.account.0).collect::<Vec<_>>())
    .bind(looks.iter().map(|look| look.campaign.0).collect::<Vec<_>>())
    .bind(looks.iter().map(|look| look.after.phase.as_str()).collect::<Vec<_>>())
    .bind(looks.iter().map(|look| look.after.reason.as_str()).collect::<Vec<_>>())
    .bind(looks.iter().map(|look| look.after.message.as_str()).collect::<Vec<_>>())
    .bind(looks.iter().map(|look| look.check_at).collect::<Vec<_>>())
    .bind(now)
    .bind(looks.iter().filter(|look| look.after.phase != look.before).map(|look| look.account.0).collect::<Vec<_>>())
    .bind(looks.iter().map(|look| look.told.as_str()).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(Error::during("save the runs"))?;
    Ok(())
}
