//! Looks at due runs: reads their state and decides their next phase.

use std::collections::{BTreeSet, HashMap};

use chrono::TimeDelta;
use sqlx::PgConnection;

use crate::core::dispatch::gate;
use crate::core::dispatch::program::FrozenCampaign;
use crate::core::domain::{AccountId, CampaignId, Moment, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::ordering::{Order, Peer, Peers};
use crate::core::lifecycle::overrides::{Orders, Overrides};
use crate::core::lifecycle::restriction::{Restriction, Restrictions};
use crate::core::lifecycle::run;
use crate::core::lifecycle::run::{Ahead, Phase, Reason, RunRestriction, Situation, Status, next};
use crate::core::manifest::desired::{Campaign, CampaignType, DesiredState, Enrollment, PastSubscription};
use crate::store::Error;
use crate::store::rows::{decode, strange, zone};
use crate::store::runs::first_match::FirstMatches;
use crate::store::runs::matcher::Seeker;
use crate::store::runs::scene::{Replaced, Scene, Specs};
use crate::store::send::refusal::{ChannelRestriction, ChannelRestrictions};

const READ: &str = "read the runs to check";

/// The time after which runs of frozen campaigns are examined again: a daemon of another version may be able to use what
/// this one cannot.
const LOOK_AGAIN: TimeDelta = TimeDelta::minutes(10);

/// Reads the runs of `accounts` that are due for a look.
pub(super) async fn due_runs(
    tx: &mut PgConnection,
    accounts: &[i32],
    specs: &Specs<'_>,
    now: Timestamp,
) -> Result<Vec<RunRow>, Error> {
    let capped: Vec<i32> = specs.iter().filter(|(_, spec)| spec.limits.targets.is_some()).map(|(id, _)| id.0).collect();
    sqlx::query_as(include_str!("look_due_runs.sql"))
        .bind(accounts)
        .bind(now)
        .bind(capped)
        .fetch_all(tx)
        .await
        .map_err(Error::during(READ))
}

#[derive(Clone, sqlx::FromRow)]
#[expect(clippy::struct_excessive_bools, reason = "columns of a query")]
pub(super) struct RunRow {
    pub(super) account_id: i32,
    pub(super) campaign_id: i32,
    phase: String,
    reason: String,
    #[sqlx(json)]
    detail: Detail,
    started_at: Option<Timestamp>,
    timezone: String,
    subscription_ends_at: Option<Timestamp>,
    foreseen_at: Option<Timestamp>,
    foreseen_end: Option<Timestamp>,
    connected: bool,
    passes: i32,
    last_pass_found: Option<i32>,
    busy: bool,
    pass_due: bool,
    external_id: String,
    labels: serde_json::Value,
    halt_reason: Option<String>,
    #[sqlx(json(nullable))]
    halt_detail: Option<Detail>,
    halted_until: Option<Timestamp>,
    taken: i64,
    active: bool,
    enrolled: bool,
    faulty: bool,
    removed: bool,
}

/// A run and its new status.
pub(super) struct Look {
    pub(super) account: AccountId,
    pub(super) campaign: CampaignId,
    pub(super) before: Phase,
    pub(super) after: Status,
    /// True if the change may affect other runs.
    pub(super) concerns: bool,
    /// True if the end of the run must be computed.
    pub(super) ahead: bool,
    /// The detail of its event.
    pub(super) told: Detail,
    /// The operator who caused the change.
    pub(super) actor: Option<String>,
    /// The time of the next look, even if nothing happens before.
    pub(super) check_at: Option<Timestamp>,
    /// The status depends on whether anybody matches, and that is not known yet.
    pub(super) undecided: Option<Seeker>,
}

/// The inputs that all runs share.
#[derive(Clone, Copy)]
pub(super) struct Looking<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) overrides: &'a Overrides,
    /// Channels that send nothing for now.
    pub(super) channels: &'a ChannelRestrictions,
    /// Restrictions imposed by providers.
    pub(super) stops: &'a Restrictions,
    pub(super) replaced: Option<&'a Replaced<'a>>,
    /// The runs for which it is known whether anybody matches.
    pub(super) matches: &'a FirstMatches,
    pub(super) now: Timestamp,
}

impl Looking<'_> {
    /// Looks at runs in order; each sees the results of those before it.
    pub(super) fn all(self, rows: Vec<RunRow>, mut peers: HashMap<i32, Peers>) -> Result<Vec<Look>, Error> {
        let mut looks = Vec::with_capacity(rows.len());
        for row in rows {
            let (account, campaign) = (AccountId(row.account_id), CampaignId(row.campaign_id));
            let spec = self.scene.specs.get(&campaign).copied();
            let frozen = self.scene.frozen.get(&campaign);
            if let Some(frozen) = frozen.filter(|_| spec.is_none() && !row.removed) {
                let look = row.freeze(frozen, self.now).map_err(decode(READ))?;
                let peer = Peer::of(&look.after, self.overrides.about(account, campaign), self.now);
                peers.entry(account.0).or_default().set(campaign, peer);
                looks.push(look);
                continue;
            }
            // A campaign unknown to this process cannot be judged.
            if spec.is_none() && !row.removed {
                continue;
            }
            let orders = self.overrides.about(account, campaign);
            let peers = peers.entry(account.0).or_default();
            let look = row.decide(spec, orders, self, peers).map_err(decode(READ))?;
            peers.set(campaign, Peer::of(&look.after, orders, self.now));
            looks.push(look);
        }
        Ok(looks)
    }
}

/// Reads the unfinished runs of the accounts of `rows` on which one of these may depend.
pub(super) async fn peers(
    tx: &mut PgConnection,
    rows: &[RunRow],
    order: &Order,
    overrides: &Overrides,
    now: Timestamp,
) -> Result<HashMap<i32, Peers>, Error> {
    let parents = order.parents(rows.iter().map(|row| CampaignId(row.campaign_id)));
    let parents: BTreeSet<i32> = parents.into_iter().map(|id| id.0).collect();
    let crowded: BTreeSet<i32> = rows
        .iter()
        .filter(|row| order.kind(CampaignId(row.campaign_id)) == Some(CampaignType::Default))
        .map(|r| r.account_id)
        .collect();
    let preempting: Vec<i32> = if crowded.is_empty() { vec![] } else { order.preempting().map(|id| id.0).collect() };
    let later = order.later(rows.iter().filter(|row| row.started_at.is_none()).map(|row| CampaignId(row.campaign_id)));
    if parents.is_empty() && preempting.is_empty() && later.is_empty() {
        return Ok(HashMap::new());
    }
    let found: Vec<(i32, i32, String, String)> = sqlx::query_as(
        "select account_id, campaign_id, phase, reason from run
         where account_id = any($1) and finished_at is null
           and (campaign_id = any($2) or (campaign_id = any($5) and phase in ('active', 'paused'))
                or (account_id = any($3) and campaign_id = any($4)
                                          and (phase = 'active' or reason in ('operator', 'looking-ahead'))))",
    )
    .bind(rows.iter().map(|row| row.account_id).collect::<Vec<_>>())
    .bind(parents.into_iter().collect::<Vec<_>>())
    .bind(crowded.into_iter().collect::<Vec<_>>())
    .bind(preempting)
    .bind(later.into_iter().map(|id| id.0).collect::<Vec<_>>())
    .fetch_all(tx)
    .await
    .map_err(Error::during(READ))?;
    let mut all: HashMap<i32, Peers> = HashMap::new();
    for (account, campaign, phase, reason) in found {
        let phase = Phase::parse(&phase).ok_or_else(|| strange("a phase", &phase)).map_err(decode(READ))?;
        let reason = Reason::parse(&reason).ok_or_else(|| strange("a reason", &reason)).map_err(decode(READ))?;
        let orders = overrides.about(AccountId(account), CampaignId(campaign));
        let status = Status { phase, reason, detail: Detail::None };
        all.entry(account).or_default().set(CampaignId(campaign), Peer::of(&status, orders, now));
    }
    Ok(all)
}

/// Returns the numbers by which accounts of `rows` may send.
pub(super) fn senders(rows: &[RunRow], scene: &Scene<'_>) -> Vec<String> {
    let sender = |row: &RunRow| scene.policies.of(&row.external_id, &row.labels).sender.clone();
    let own: BTreeSet<String> = rows.iter().filter_map(sender).chain(scene.resources.numbers()).collect();
    own.into_iter().collect()
}

/// Builds the pause of a number that its provider restricts.
fn halted_by(stop: &Restriction) -> RunRestriction {
    RunRestriction { reason: Reason::ChannelUnhealthy, detail: stop.detail.clone() }
}

impl RunRow {
    fn decide(
        self,
        spec: Option<&Campaign>,
        orders: Orders<'_>,
        Looking { scene, channels, stops, replaced, matches, now, .. }: Looking<'_>,
        peers: &Peers,
    ) -> Result<Look, sqlx::Error> {
        let phase = Phase::parse(&self.phase).ok_or_else(|| strange("a phase", &self.phase))?;
        let reason = Reason::parse(&self.reason).ok_or_else(|| strange("a reason", &self.reason))?;
        let status = Status { phase, reason, detail: self.detail.clone() };
        let facts = gate::Account::new(self.subscription_ends_at, self.connected);
        let (account, campaign) = (AccountId(self.account_id), CampaignId(self.campaign_id));
        let frozen = scene.frozen.get(&campaign);
        let policy = scene.policies.of(&self.external_id, &self.labels);
        let zone = match spec.and_then(|spec| spec.schedule.timezone.clone()) {
            Some(zone) => zone,
            None => zone(&self.timezone)?,
        };
        let by = spec.and_then(|spec| spec.channel.as_ref()).or(policy.channel.as_ref());
        let channel = by.and_then(|name| channels.get(name.as_str()));
        let shared = by.and_then(|name| scene.resources.shared(name));
        let sender = by.and_then(|name| stops.of_sender(name.as_str(), policy.sender.as_deref(), shared));
        let template = by.and_then(|name| stops.of_templates(name.as_str(), scene.resources.templates(campaign)));
        let halted =
            self.halted()?.or_else(|| channel.map(ChannelRestriction::halted)).or_else(|| sender.map(halted_by));
        let ends = [self.halted_until, channel.map(|channel| channel.until), sender.and_then(|stop| stop.until)];
        let lifted_at = ends.into_iter().flatten().filter(|at| *at > now).min();
        let moment = |moment: Option<Moment>| moment.map(|moment| moment.at(&zone));
        let first = matches.get(&(account, campaign));
        let situation = Situation {
            wanted: spec.map_or(DesiredState::Cancelled, |spec| spec.state),
            removed: self.removed,
            operator: orders.at(now).cloned(),
            selected: spec.is_none_or(|spec| spec.accounts.selects(&self.external_id, &self.labels)),
            started: self.started_at.is_some(),
            behind: scene.order.behind(campaign, peers),
            preempted: scene.order.preempted(campaign, peers, &policy),
            ahead: spec.map_or(Ahead::Free, |spec| self.ahead(spec, reason, now)),
            unable: facts.unable(now),
            halted,
            enrolls: policy.enrollment.is_on(),
            sends: policy.sending.is_on(),
            start_at: moment(spec.and_then(|spec| spec.schedule.start_at)),
            end_at: moment(spec.and_then(|spec| spec.schedule.end_at)),
            enrollment: spec.map_or(Enrollment::Once, |spec| spec.enrollment),
            filtered: spec.is_some_and(|spec| spec.kind == CampaignType::Filtered),
            nobody_matches: first.is_some_and(|first| !first.somebody),
            ever_enrolled: self.enrolled,
            busy_elsewhere: first.map_or(self.busy, |first| first.busy),
            passes: self.passes.unsigned_abs(),
            pass_due: self.pass_due,
            last_pass_found: self.last_pass_found.unwrap_or_default().unsigned_abs(),
            target_cap_reached: spec
                .and_then(|spec| spec.limits.targets)
                .is_some_and(|cap| self.taken >= i64::from(cap)),
            has_active_targets: self.active,
            template_error: (self.faulty && status.reason == Reason::TemplateError)
                .then(|| status.detail.clone())
                .or_else(|| template.map(|stop| stop.detail.clone()))
                .or_else(|| frozen.map(|frozen| frozen.why.clone())),
        };
        let after = next(&status, &situation, now);
        let lonely = || next(&status, &Situation { nobody_matches: true, ..situation.clone() }, now);
        let asks = first.is_none() && situation.filtered && !situation.started && lonely() != after;
        let undecided = if asks { Some(self.seeker()?) } else { None };
        let moves = match after.phase {
            Phase::Scheduled => [situation.start_at, situation.end_at, self.look_again_at(), orders.change_at(now)],
            Phase::Active | Phase::Paused => {
                [lifted_at, situation.end_at, self.subscription_ends_at, orders.change_at(now)]
            }
            Phase::Draft => [None, None, None, orders.change_at(now)],
            Phase::Completed | Phase::Cancelled => [None; 4],
        };
        let again = frozen.filter(|_| !after.phase.is_final()).map(|_| now + LOOK_AGAIN);
        let waits = after.reason == Reason::WaitingForPeople;
        let match_at = first.filter(|_| waits).map(|first| first.again_at);
        let again = [again, match_at].into_iter().flatten().min();
        let check_at = moves.into_iter().chain([again]).flatten().filter(|at| *at > now).min();
        // A run that had begun becomes one that has not, and is looked at as such.
        let check_at = if waits && situation.started { Some(now) } else { check_at };
        // Another order of an operator may change only the detail.
        let reordered = reason == Reason::Operator && status.detail != after.detail;
        let concerns = reordered || Peer::of(&status, orders, now) != Peer::of(&after, orders, now);
        let old = self.look_again_at().is_none_or(|at| at <= now);
        let ahead = matches!(after.reason, Reason::LookingAhead | Reason::OutlivesSubscription) && old;
        let told = told(&status, &after, orders, replaced, now);
        let actor = actor(&status, &after, orders, replaced, now);
        Ok(Look { account, campaign, before: phase, after, concerns, ahead, told, actor, check_at, undecided })
    }
}

impl RunRow {
    /// Pauses the run of a campaign that cannot be used.
    fn freeze(self, frozen: &FrozenCampaign, now: Timestamp) -> Result<Look, sqlx::Error> {
        let phase = Phase::parse(&self.phase).ok_or_else(|| strange("a phase", &self.phase))?;
        let reason = Reason::parse(&self.reason).ok_or_else(|| strange("a reason", &self.reason))?;
        let status = Status { phase, reason, detail: self.detail };
        let after = run::frozen(&status, &frozen.why);
        Ok(Look {
            account: AccountId(self.account_id),
            campaign: CampaignId(self.campaign_id),
            before: phase,
            concerns: after.phase != phase,
            ahead: false,
            told: after.detail.clone(),
            actor: None,
            check_at: (!after.phase.is_final()).then_some(now + LOOK_AGAIN),
            undecided: None,
            after,
        })
    }

    /// Returns the account as one that looks for its first person; limits do not matter for that.
    fn seeker(&self) -> Result<Seeker, sqlx::Error> {
        let zone = zone(&self.timezone)?;
        Ok(Seeker { account: AccountId(self.account_id), zone, enrolls: true, room: u64::MAX, is_over: false })
    }

    /// Returns the reason the account is stopped, if it is.
    fn halted(&self) -> Result<Option<RunRestriction>, sqlx::Error> {
        let Some((reason, detail)) = self.halt_reason.as_deref().zip(self.halt_detail.clone()) else {
            return Ok(None);
        };
        let reason = Reason::parse(reason).ok_or_else(|| strange("a reason", reason))?;
        Ok(Some(RunRestriction { reason, detail }))
    }

    /// Says if the run would end before the subscription does, where its campaign requires that.
    fn ahead(&self, spec: &Campaign, reason: Reason, now: Timestamp) -> Ahead {
        let Some(end) = self.subscription_ends_at.filter(|_| spec.past_subscription == PastSubscription::Refuse) else {
            return Ahead::Free;
        };
        match (self.look_again_at().filter(|at| *at > now), self.foreseen_end) {
            // The run keeps its status while its end is computed again.
            (None, _) if reason == Reason::OutlivesSubscription => Ahead::Outlives(self.detail.clone()),
            (None, _) => Ahead::Unknown,
            (Some(_), Some(finish)) if finish <= end => Ahead::Free,
            (Some(_), finish) => Ahead::Outlives(Detail::OutlivesSubscription { finish, end }),
        }
    }

    /// Returns the time at which the forecast is a day old and must be computed again.
    fn look_again_at(&self) -> Option<Timestamp> {
        Some(self.foreseen_at? + TimeDelta::days(1))
    }
}

/// Returns the detail of a change: the reason for the new phase, and the fate of an operator's order if one applied.
fn told(
    before: &Status,
    after: &Status,
    orders: Orders<'_>,
    replaced: Option<&Replaced<'_>>,
    now: Timestamp,
) -> Detail {
    let followed = before.followed().filter(|_| before.detail != after.detail);
    let end = match (followed, replaced) {
        (Some(order), Some(replaced)) if replaced.order == order => {
            Some(replaced.by).filter(|by| **by != after.detail).cloned()
        }
        (Some(order), _) if orders.has_ended(order, now) => Some(Detail::OrderTimeOver),
        _ => None,
    };
    match end {
        Some(end) => Detail::AfterOrder { end: Box::new(end), then: Box::new(after.detail.clone()) },
        None => after.detail.clone(),
    }
}

/// Returns the operator whose order the run now follows, or who released it.
fn actor(
    before: &Status,
    after: &Status,
    orders: Orders<'_>,
    replaced: Option<&Replaced<'_>>,
    now: Timestamp,
) -> Option<String> {
    if after.reason == Reason::Operator {
        return orders.at(now).map(|standing| standing.order.actor.clone());
    }
    let replaced = replaced.filter(|one| before.followed() == Some(one.order));
    replaced.map(|one| one.actor.to_owned())
}
