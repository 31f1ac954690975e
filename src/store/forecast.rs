//! What [`crate::plan::forecast`] looks ahead from: lanes, runs and people of many accounts, read at once.

use std::collections::{BTreeMap, HashMap};

use chrono::{DurationRound, TimeDelta};
use serde_json::Value;
use sqlx::PgConnection;

use super::matcher::{Lives, Matcher, Seeker, matching};
use super::overrides::overrides_of;
use super::rows::{decode, strange, zone};
use super::{Error, InForce, Store};
use crate::cadence::Cadence;
use crate::domain::{AccountId, CampaignId, Consent, NaiveDate, Name, Period, Timestamp, Zone};
use crate::gate;
use crate::lane::DayCount;
use crate::lifecycle::enrollment::Taken;
use crate::lifecycle::operator::Overrides;
use crate::lifecycle::run::Phase;
use crate::manifest::Desired;
use crate::manifest::desired::Campaign;
use crate::pacing::Pace;
use crate::plan::forecast::{Account, Group, Outlook, Place, Run, forecast};

/// What one account is going to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreseen {
    pub account: AccountId,
    pub external_id: String,
    pub zone: Zone,
    pub subscription_ends_at: Option<Timestamp>,
    /// By campaign; runs that are over are left out.
    pub outlooks: BTreeMap<Name, Outlook>,
}

/// A campaign as desired, ready to be looked ahead at.
struct Wanted<'a> {
    name: &'a Name,
    /// 0 for one that is not in the database yet.
    id: CampaignId,
    spec: &'a Campaign,
    cadence: Cadence,
    /// Applying it has its runs looked at and enrolled anew.
    changed: bool,
}

impl Store {
    /// Looks ahead for each of `accounts` as if `desired` came into force in place of `in_force` now.
    pub async fn forecast(
        &self,
        desired: &Desired,
        in_force: &InForce,
        accounts: &[AccountId],
        now: Timestamp,
    ) -> Result<Vec<Foreseen>, Error> {
        let wanted = wanted(desired, in_force);
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to look ahead"))?;
        sqlx::query("set transaction isolation level repeatable read, read only")
            .execute(&mut *tx)
            .await
            .map_err(Error::during("begin to look ahead"))?;
        let lanes = lanes(&mut tx, accounts).await?;
        let runs = runs(&mut tx, &wanted, accounts).await?;
        let ids: Vec<i32> = accounts.iter().map(|account| account.0).collect();
        let overrides = overrides_of(&mut tx, &ids).await?;
        let mut people = people(&mut tx, &wanted, &lanes, now).await?;
        let mut all = Vec::new();
        for lane in lanes {
            let members = people.remove(&lane.id).unwrap_or_default();
            all.push(lane.foresee(desired, &wanted, (&runs, &overrides), members, now).map_err(decode("look ahead"))?);
        }
        Ok(all)
    }
}

/// The campaigns in the order in which they were, or are going to be, made.
fn wanted<'a>(desired: &'a Desired, in_force: &InForce) -> Vec<Wanted<'a>> {
    let before = &in_force.desired;
    let mut wanted: Vec<Wanted<'a>> = desired
        .campaigns
        .iter()
        .filter_map(|(name, spec)| {
            let sequence = desired.sequences.get(&spec.sequence)?;
            let same = before.campaigns.get(name) == Some(spec)
                && before.sequences.get(&spec.sequence) == Some(sequence)
                && before.accounts == desired.accounts;
            let id = in_force.campaigns.get(name).copied().unwrap_or(CampaignId(0));
            Some(Wanted { name, id, spec, cadence: Cadence::of(spec, sequence), changed: !same })
        })
        .collect();
    wanted.sort_by_key(|campaign| (campaign.id.0 == 0, campaign.id.0));
    wanted
}

#[derive(sqlx::FromRow)]
struct LaneRow {
    id: i32,
    external_id: String,
    attributes: Value,
    timezone: String,
    subscription_ends_at: Option<Timestamp>,
    whatsapp_status: Option<String>,
    taken_on: Option<NaiveDate>,
    taken: i32,
    next_slot_at: Option<Timestamp>,
    wave: i32,
    wave_sent: i32,
}

async fn lanes(tx: &mut PgConnection, accounts: &[AccountId]) -> Result<Vec<LaneRow>, Error> {
    sqlx::query_as(
        "select a.id, a.external_id, a.attributes, a.timezone, a.subscription_ends_at, a.whatsapp_status, l.taken_on,
                coalesce(l.taken, 0) as taken, l.next_slot_at, coalesce(l.wave, 0) as wave,
                coalesce(l.wave_sent, 0) as wave_sent
         from account a left join lane l on l.account_id = a.id where a.id = any($1) order by a.id",
    )
    .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
    .fetch_all(tx)
    .await
    .map_err(Error::during("read the lanes to look ahead at"))
}

#[derive(sqlx::FromRow)]
struct RunRow {
    account_id: i32,
    campaign_id: i32,
    phase: String,
    over: bool,
    started: bool,
    faulty: bool,
    taken_on: Option<NaiveDate>,
    taken: i32,
    passes: i32,
    last_pass_found: Option<i32>,
    enrolled_on: Option<NaiveDate>,
    enrolled: i32,
    enroll_at: Option<Timestamp>,
    ever: i64,
}

async fn runs(
    tx: &mut PgConnection,
    wanted: &[Wanted<'_>],
    accounts: &[AccountId],
) -> Result<HashMap<(i32, i32), RunRow>, Error> {
    let capped = wanted.iter().filter(|campaign| campaign.spec.limits.targets.is_some());
    let rows: Vec<RunRow> = sqlx::query_as(
        "select account_id, campaign_id, phase, finished_at is not null as over, started_at is not null as started,
                coalesce(fault_revision_id = revision_id, false) as faulty, taken_on, taken, passes, last_pass_found,
                enrolled_on, enrolled, enroll_at,
                case when campaign_id = any($3) then (
                  select count(*) from target t
                  where t.account_id = r.account_id and t.campaign_id = r.campaign_id) else 0 end as ever
         from run r where account_id = any($1) and campaign_id = any($2)",
    )
    .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
    .bind(wanted.iter().map(|campaign| campaign.id.0).collect::<Vec<_>>())
    .bind(capped.map(|campaign| campaign.id.0).collect::<Vec<_>>())
    .fetch_all(tx)
    .await
    .map_err(Error::during("read the runs to look ahead at"))?;
    Ok(rows.into_iter().map(|row| ((row.account_id, row.campaign_id), row)).collect())
}

/// Somebody of an account, in a situation that others may share.
#[derive(sqlx::FromRow)]
struct PersonRow {
    account_id: i32,
    id: i64,
    registered_at: Timestamp,
    paid: bool,
    consent: Option<String>,
    suppressed: bool,
    last_written_on: Option<NaiveDate>,
    campaign_id: i32,
    day: i16,
    due_at: Option<Timestamp>,
}

/// Columns of [`PersonRow`] from `referral r`, those about a campaign left out.
macro_rules! person_columns {
    () => {
        "r.account_id, r.id, r.registered_at, r.paid_at is not null as paid, r.consent,
         exists (select from suppression s where s.phone = r.phone) as suppressed,
         (select max(m.counts_on) from message m
          where m.account_id = r.account_id and m.referral_id = r.id) as last_written_on"
    };
}

/// Somebody and where they stand in the campaigns, by their place in the list.
struct Member {
    row: PersonRow,
    places: Vec<Place>,
}

type Members = HashMap<i64, Member>;

/// By account: who is in the campaigns, and who is going to be taken by them.
async fn people(
    tx: &mut PgConnection,
    wanted: &[Wanted<'_>],
    lanes: &[LaneRow],
    now: Timestamp,
) -> Result<HashMap<i32, Members>, Error> {
    let mut people: HashMap<i32, Members> = HashMap::new();
    let mut put = |row: PersonRow, at: usize, place: Place| {
        let places = vec![Place::Outside; wanted.len()];
        let members = people.entry(row.account_id).or_default();
        members.entry(row.id).or_insert(Member { row, places }).places[at] = place;
    };
    for row in active(tx, wanted, lanes).await? {
        let Some(at) = wanted.iter().position(|campaign| campaign.id.0 == row.campaign_id) else { continue };
        let due_at = coarse(row.due_at.unwrap_or(now), TimeDelta::minutes(1));
        let place = Place::Active { day: row.day.unsigned_abs(), due_at };
        put(row, at, place);
    }
    for (at, campaign) in wanted.iter().enumerate() {
        let wait = std::time::Duration::from(campaign.spec.enroll_after);
        for row in waiting(tx, campaign, lanes, now).await? {
            let ripe_at = row.registered_at + wait + TimeDelta::microseconds(1);
            let later = || coarse(ripe_at, TimeDelta::hours(1)) + TimeDelta::hours(1);
            let from = if ripe_at <= now { now } else { later() };
            put(row, at, Place::Waiting { from });
        }
    }
    Ok(people)
}

async fn active(tx: &mut PgConnection, wanted: &[Wanted<'_>], lanes: &[LaneRow]) -> Result<Vec<PersonRow>, Error> {
    sqlx::query_as(concat!(
        "select ",
        person_columns!(),
        ", t.campaign_id, t.day, t.due_at
         from target t join referral r on (r.account_id, r.id) = (t.account_id, t.referral_id)
         where t.account_id = any($1) and t.campaign_id = any($2) and t.state = 'active'"
    ))
    .bind(lanes.iter().map(|lane| lane.id).collect::<Vec<_>>())
    .bind(wanted.iter().map(|campaign| campaign.id.0).collect::<Vec<_>>())
    .fetch_all(tx)
    .await
    .map_err(Error::during("read who is in the campaigns"))
}

/// Who matches, now or once they have been registered for long enough and are in no other run.
async fn waiting(
    tx: &mut PgConnection,
    campaign: &Wanted<'_>,
    lanes: &[LaneRow],
    now: Timestamp,
) -> Result<Vec<PersonRow>, Error> {
    let query = sqlx::query_as(concat!(
        "select ",
        person_columns!(),
        ", 0 as campaign_id, 0::smallint as day, null::timestamptz as due_at ",
        matching!()
    ));
    let mut spec = campaign.spec.clone();
    spec.enroll_after = Period::ZERO;
    spec.filter.exclude_current_targets = false;
    let seekers: Result<Vec<Seeker>, sqlx::Error> = lanes
        .iter()
        .filter(|lane| spec.accounts.selects(&lane.external_id, &lane.attributes))
        .map(|lane| Ok(Seeker { account: AccountId(lane.id), zone: zone(&lane.timezone)?, room: u64::MAX }))
        .collect();
    let seekers = seekers.map_err(decode("read who is going to be taken"))?;
    let lives = Lives::of(tx, campaign.name, campaign.id).await?;
    let matcher = Matcher::new(&lives, &spec, &seekers, now);
    let rows = matcher.bind(query).persistent(false).fetch_all(tx).await;
    rows.map_err(Error::during("read who is going to be taken"))
}

impl LaneRow {
    fn foresee(
        self,
        desired: &Desired,
        wanted: &[Wanted<'_>],
        (rows, overrides): (&HashMap<(i32, i32), RunRow>, &Overrides),
        members: Members,
        now: Timestamp,
    ) -> Result<Foreseen, sqlx::Error> {
        let zone = zone(&self.timezone)?;
        let today = zone.date(now);
        let (mut runs, mut kept, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (at, campaign) in wanted.iter().enumerate() {
            let selected = campaign.spec.accounts.selects(&self.external_id, &self.attributes);
            let row = rows.get(&(self.id, campaign.id.0));
            if row.is_some_and(|row| row.over) || (row.is_none() && !selected) {
                continue;
            }
            let orders = overrides.about(AccountId(self.id), campaign.id);
            let new = Run { orders, selected, ..Run::new(campaign.spec, &campaign.cadence) };
            runs.push(row.map_or(Ok(new), |row| row.run(new, campaign.changed, today, now))?);
            kept.push(at);
            names.push(campaign.name.clone());
        }
        let account = Account {
            zone: &zone,
            policy: &desired.accounts,
            facts: gate::Account {
                subscription_ends_at: self.subscription_ends_at,
                connected: self.whatsapp_status.as_deref().is_none_or(|status| status == "connected"),
            },
            taken: DayCount { on: self.taken_on, count: self.taken.unsigned_abs() }.of(today),
            pace: Pace {
                next_slot_at: self.next_slot_at,
                wave: usize::try_from(self.wave).unwrap_or_default(),
                wave_sent: self.wave_sent.unsigned_abs(),
            },
        };
        let outlooks = forecast(&account, &runs, groups(members, &kept)?, now);
        Ok(Foreseen {
            account: AccountId(self.id),
            external_id: self.external_id,
            subscription_ends_at: self.subscription_ends_at,
            outlooks: names.into_iter().zip(outlooks).collect(),
            zone,
        })
    }
}

impl RunRow {
    /// `new` with what happened to it; one that is `changed` is looked at anew.
    fn run<'a>(&self, new: Run<'a>, changed: bool, today: NaiveDate, now: Timestamp) -> Result<Run<'a>, sqlx::Error> {
        let of = |on, count: i32| DayCount { on, count: count.unsigned_abs() }.of(today);
        Ok(Run {
            phase: Phase::parse(&self.phase).ok_or_else(|| strange("a phase", &self.phase))?,
            started: self.started,
            faulty: self.faulty && !changed,
            sent: of(self.taken_on, self.taken),
            taken: Taken {
                passes: self.passes.unsigned_abs(),
                ever: self.ever.unsigned_abs(),
                today: of(self.enrolled_on, self.enrolled),
            },
            last_pass_found: self.last_pass_found.unwrap_or_default().unsigned_abs(),
            enroll_at: if changed { Some(now) } else { self.enroll_at },
            ..new
        })
    }
}

/// People by situation; of their places those in the runs of the account, in their order.
fn groups(members: Members, kept: &[usize]) -> Result<Vec<Group>, sqlx::Error> {
    let mut groups: HashMap<_, Group> = HashMap::new();
    for Member { row, places } in members.into_values() {
        let places: Vec<Place> = kept.iter().map(|at| places[*at]).collect();
        let consent = match row.consent.as_deref() {
            None => None,
            Some(text) => Some(Consent::parse(text).ok_or_else(|| strange("a consent", text))?),
        };
        let registered_on = row.registered_at.date_naive();
        let key = (registered_on, row.paid, row.consent, row.suppressed, row.last_written_on, places.clone());
        let group = groups.entry(key).or_insert(Group {
            people: 0,
            registered_at: row.registered_at,
            paid: row.paid,
            consent,
            suppressed: row.suppressed,
            last_written_on: row.last_written_on,
            places,
        });
        group.people += 1;
        group.registered_at = group.registered_at.max(row.registered_at);
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by(|a, b| (a.registered_at, &a.places).cmp(&(b.registered_at, &b.places)));
    Ok(groups)
}

/// The last full `step` up to an instant: who is due within one is one group.
fn coarse(at: Timestamp, step: TimeDelta) -> Timestamp {
    at.duration_trunc(step).unwrap_or(at)
}
