//! The people of accounts in a forecast: active targets, and people who will be enrolled.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::TimeDelta;

use super::runs::Member;
use crate::core::domain::{AccountId, CampaignId, Consent, Country, NaiveDate, TargetKey, Timestamp, Zone};
use crate::core::lifecycle::target::Event;
use crate::core::manifest::desired::Campaign;
use crate::core::plan::forecast::{Group, Place};
use crate::store::columns::Batch;
use crate::store::runs::matcher::{BoundsRow, Lives, Matcher, Seeker, matching};
use crate::store::{Error, Store};

/// The largest difference between due instants of neighbours that are counted as one group.
const ALIKE: TimeDelta = TimeDelta::minutes(1);

/// The people a campaign enrolls from one account, now or once their registration is old enough.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting {
    people: Vec<(i64, Known)>,
    /// The minimum time since registration.
    after: TimeDelta,
}

/// The facts about a person that a forecast needs.
#[derive(Debug, Clone)]
struct Known {
    /// The person's own zone, where a campaign goes by it.
    zone: Option<Arc<Zone>>,
    registered_at: Timestamp,
    paid: bool,
    /// The person's consent; `None` if unknown.
    agreed: Option<bool>,
    suppressed: bool,
}

/// An active target of a run.
#[derive(Debug, Clone)]
struct Active {
    referral: i64,
    known: Known,
    campaign: CampaignId,
    day: u16,
    due_at: Timestamp,
}

/// The people under way whom an edit moves: their new due time, or `None` for people whose days are over.
#[derive(Debug, Default)]
pub(super) struct Moved(HashMap<(AccountId, CampaignId, i64), Option<Timestamp>>);

impl Moved {
    pub(super) fn of(events: Vec<(TargetKey, Event)>) -> Self {
        let moved = |(key, event): (TargetKey, Event)| {
            let due_at = if let Event::Held { until } = event { Some(until) } else { None };
            ((key.account, key.campaign, key.referral.0), due_at)
        };
        Self(events.into_iter().map(moved).collect())
    }

    fn place(&self, account: AccountId, active: &Active) -> Place {
        match self.0.get(&(account, active.campaign, active.referral)) {
            None => Place::Active { day: active.day, due_at: active.due_at },
            Some(Some(due_at)) => Place::Active { day: active.day, due_at: *due_at },
            Some(None) => Place::Over,
        }
    }
}

/// All people of some accounts with a message ahead.
#[derive(Debug, Default)]
pub(super) struct People {
    active: HashMap<AccountId, Vec<Active>>,
    /// People to whom a message was sent on the current local day of their account.
    written: HashSet<(AccountId, i64)>,
}

impl People {
    /// Groups the people of an account by their places in the runs of `campaigns`; `queues` lists the waiting people of
    /// each. The person `alone` gets a group of their own.
    pub(super) fn groups(
        &self,
        account: AccountId,
        (campaigns, moved): (&[CampaignId], &Moved),
        queues: &[Option<&Waiting>],
        alone: Option<i64>,
        (now, today): (Timestamp, NaiveDate),
    ) -> Vec<Group> {
        let mut all: BTreeMap<i64, (Known, Vec<Place>)> = BTreeMap::new();
        let outside = || vec![Place::Outside; campaigns.len()];
        for active in self.active.get(&account).into_iter().flatten() {
            let Some(run) = campaigns.iter().position(|id| *id == active.campaign) else { continue };
            let (_, places) = all.entry(active.referral).or_insert_with(|| (active.known.clone(), outside()));
            places[run] = moved.place(account, active);
        }
        for (run, queue) in queues.iter().enumerate() {
            let Some(queue) = queue else { continue };
            for (referral, known) in &queue.people {
                // Enrollment requires an age strictly greater than `enrollAfter`.
                let ripe_at = known.registered_at + queue.after + TimeDelta::microseconds(1);
                let ripe = queue.after.is_zero() || ripe_at <= now;
                let from = if ripe { Timestamp::MIN_UTC } else { ripe_at };
                let (_, places) = all.entry(*referral).or_insert_with(|| (known.clone(), outside()));
                places[run] = Place::Waiting { from };
            }
        }
        let mut people: Vec<(i64, Known, Vec<Place>)> =
            all.into_iter().map(|(id, (known, at))| (id, known, at)).collect();
        people.sort_by_key(|(id, known, _)| std::cmp::Reverse((known.registered_at, *id)));
        let mut groups: Vec<Group> = Vec::new();
        for (referral, known, places) in people {
            let written = self.written.contains(&(account, referral));
            let group = known.group(referral, places, written.then_some(today));
            match groups.last_mut() {
                Some(last) if is_alike(last, &group) && !is_alone(last, referral, alone) => {
                    last.referrals.push(referral);
                }
                _ => groups.push(group),
            }
        }
        groups
    }
}

impl Known {
    fn group(self, referral: i64, places: Vec<Place>, last_written_on: Option<NaiveDate>) -> Group {
        let consent = self.agreed.map(|agreed| if agreed { Consent::OptedIn } else { Consent::OptedOut });
        let Self { zone, registered_at, paid, suppressed, .. } = self;
        Group { referrals: vec![referral], zone, registered_at, paid, consent, suppressed, last_written_on, places }
    }
}

/// Returns true if the person `alone` is in `group` or comes next.
fn is_alone(group: &Group, next: i64, alone: Option<i64>) -> bool {
    alone.is_some_and(|alone| next == alone || group.referrals.contains(&alone))
}

/// Returns true if `next`, the next person in registration order, can be counted with `group`.
fn is_alike(group: &Group, next: &Group) -> bool {
    let facts =
        |group: &Group| (group.paid, group.consent, group.suppressed, group.last_written_on, group.zone.clone());
    let mut places = group.places.iter().zip(&next.places);
    facts(group) == facts(next)
        && places.all(|(one, other)| match (one, other) {
            (Place::Active { day, due_at }, Place::Active { day: next_day, due_at: next_due_at }) => {
                day == next_day && (*next_due_at - *due_at).abs() < ALIKE
            }
            // People come newest first, so the first of a group has the latest instant.
            (Place::Waiting { from }, Place::Waiting { from: next }) => (*from - *next).abs() < ALIKE,
            (one, other) => one == other,
        })
}

/// The columns of [`Known`] from `referral r`, aggregated into one array each. `$own_zones` is the parameter that asks
/// for the zone, or else the country, of each person; most campaigns go by the zone of the account.
macro_rules! known_columns {
    ($own_zones:literal) => {
        concat!(
            "array_agg(r.id), array_agg(r.registered_at), array_agg(r.paid_at is not null),
             array_agg(r.consent = 'opted_in'),
             case when ",
            $own_zones,
            "::boolean then array_agg(coalesce(r.timezone, r.country)) end"
        )
    };
}

type KnownColumns = (Vec<i64>, Vec<Timestamp>, Vec<bool>, Vec<Option<bool>>, Option<Vec<String>>);

fn known((ids, registered, paid, agreed, places): KnownColumns) -> impl Iterator<Item = (i64, Known)> {
    let mut zones: HashMap<String, Option<Arc<Zone>>> = HashMap::new();
    let places = places.into_iter().flatten().map(Some).chain(std::iter::repeat(None));
    let rows = ids.into_iter().zip(registered).zip(paid.into_iter().zip(agreed)).zip(places);
    rows.map(move |(((id, registered_at), (paid, agreed)), place)| {
        let zone = place.and_then(|place| zones.entry(place).or_insert_with_key(|place| zone_of(place)).clone());
        (id, Known { zone, registered_at, paid, agreed, suppressed: false })
    })
}

/// Returns the zone of this name, or the only zone of the country with this code.
fn zone_of(place: &str) -> Option<Arc<Zone>> {
    match Country::parse(place) {
        Ok(country) => country.only_zone().cloned().map(Arc::new),
        Err(_) => Zone::parse(place).ok().map(Arc::new),
    }
}

impl Store {
    /// Returns the people that the campaign will enroll from the accounts of `seekers`. They include people who
    /// registered too recently or are in another run, since both conditions pass.
    pub(super) async fn waiting_for(
        &self,
        lives: &Lives,
        spec: &Campaign,
        seekers: &[Seeker],
        (own_zones, now): (bool, Timestamp),
    ) -> Result<HashMap<AccountId, Waiting>, Error> {
        const OPERATION: &str = "read people to be enrolled";
        const MATCHING: Batch<BoundsRow> =
            Batch::of(concat!("select d.account_id, ", known_columns!("$19"), matching!(), " group by d.account_id"));
        type Row = (i32, Vec<i64>, Vec<Timestamp>, Vec<bool>, Vec<Option<bool>>, Option<Vec<String>>);
        let mut db = self.pool.acquire().await.map_err(Error::during(OPERATION))?;
        let rows: Vec<Row> = Matcher::new(lives, spec, seekers, now)
            .sooner_or_later()
            .query(&MATCHING)
            .bind(own_zones)
            .persistent(false)
            .fetch_all(&mut *db)
            .await
            .map_err(Error::during(OPERATION))?;
        let after = TimeDelta::from_std(spec.enroll_after.into()).unwrap_or_default();
        let waiting = rows.into_iter().map(|(account, ids, registered, paid, agreed, places)| {
            let people = known((ids, registered, paid, agreed, places)).collect();
            (AccountId(account), Waiting { people, after })
        });
        Ok(waiting.collect())
    }

    /// Reads the active targets of the accounts, and which of them and of the waiting people were sent a message today.
    pub(super) async fn people(
        &self,
        members: &[Member],
        waiting: &[Vec<HashMap<AccountId, Waiting>>],
        (own_zones, now): (bool, Timestamp),
    ) -> Result<People, Error> {
        let mut people = People { active: self.active(members, own_zones).await?, ..People::default() };
        // Accounts without a message today need no query for its recipients.
        let (mut accounts, mut referrals, mut days) = (vec![], vec![], vec![]);
        for member in members {
            let (account, today) = (member.lane.account, member.lane.zone.date(now));
            if member.lane.taken.of(today) == 0 {
                continue;
            }
            let active = people.active.get(&account).into_iter().flatten().map(|active| active.referral);
            let queues = waiting.iter().flatten().filter_map(|queue| queue.get(&account));
            let mut here: Vec<i64> =
                active.chain(queues.flat_map(|queue| queue.people.iter().map(|one| one.0))).collect();
            here.sort_unstable();
            here.dedup();
            accounts.resize(accounts.len() + here.len(), account.0);
            days.resize(days.len() + here.len(), today);
            referrals.extend(here);
        }
        people.written = self.written(accounts, referrals, days).await?;
        Ok(people)
    }

    async fn active(&self, members: &[Member], own_zones: bool) -> Result<HashMap<AccountId, Vec<Active>>, Error> {
        type Row = (
            i32,
            i32,
            Vec<i64>,
            Vec<Timestamp>,
            Vec<bool>,
            Vec<Option<bool>>,
            Option<Vec<String>>,
            Vec<bool>,
            Vec<i16>,
            Vec<Timestamp>,
        );
        let rows: Vec<Row> = sqlx::query_as(concat!(
            "select t.account_id, t.campaign_id, ",
            known_columns!("$2"),
            " as places, array_agg(exists (select from suppression s where s.phone = r.phone)) as suppressed,
             array_agg(t.day) as days, array_agg(t.due_at) as due_at
             from target t join referral r on (r.account_id, r.id) = (t.account_id, t.referral_id)
             where t.account_id = any($1) and t.state = 'active' and t.due_at is not null
             group by t.account_id, t.campaign_id"
        ))
        .bind(members.iter().map(|member| member.lane.account.0).collect::<Vec<_>>())
        .bind(own_zones)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read the people in a run"))?;
        let mut all: HashMap<AccountId, Vec<Active>> = HashMap::new();
        for (account, campaign, ids, registered, paid, agreed, places, suppressed, days, due_at) in rows {
            let people = known((ids, registered, paid, agreed, places));
            let people = people.zip(suppressed.into_iter().zip(days.into_iter().zip(due_at)));
            let people = people.map(|((referral, known), (suppressed, (day, due_at)))| Active {
                referral,
                known: Known { suppressed, ..known },
                campaign: CampaignId(campaign),
                day: day.unsigned_abs(),
                due_at,
            });
            all.entry(AccountId(account)).or_default().extend(people);
        }
        Ok(all)
    }

    async fn written(
        &self,
        accounts: Vec<i32>,
        referrals: Vec<i64>,
        days: Vec<NaiveDate>,
    ) -> Result<HashSet<(AccountId, i64)>, Error> {
        if accounts.is_empty() {
            return Ok(HashSet::new());
        }
        let rows: Vec<(i32, i64)> = sqlx::query_as(
            "select u.account_id, u.referral_id
             from unnest($1::int[], $2::bigint[], $3::date[]) as u (account_id, referral_id, today)
             where exists (select from message m where m.account_id = u.account_id and m.referral_id = u.referral_id
                                                   and m.quota_date >= u.today)",
        )
        .bind(accounts)
        .bind(referrals)
        .bind(days)
        .persistent(false)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read the people who got a message today"))?;
        Ok(rows.into_iter().map(|(account, referral)| (AccountId(account), referral)).collect())
    }
}
