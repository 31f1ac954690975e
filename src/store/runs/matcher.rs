//! Matching of people and campaigns: the one definition, used to count and to enroll.

use std::collections::HashMap;

use chrono::{Months, NaiveDate, TimeDelta};
use serde_json::Value;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::QueryAs;
use sqlx::{FromRow, PgConnection, Postgres};

use crate::core::domain::{AccountId, CampaignId, Name, Timestamp, Zone};
use crate::core::manifest::desired::{Campaign, ConsentPolicy, Subscription};
use crate::store::Error;
use crate::store::columns::{Batch, columns};

/// Every condition of a match, with the name of the reason for its failure: the one list, in the order in which
/// reasons are reported. The macro `$form` expands it.
macro_rules! conditions {
    ($($form:tt)+) => {
        $($form)+! {
            NotCurrent "not-current" "r.is_current";
            Paid "paid" "$8::boolean is not false or r.paid_at is null";
            NotPaid "not-paid" "$8::boolean is not true or r.paid_at is not null";
            Suppressed "suppressed"
                "not exists (select from suppression s where s.phone = r.phone)
                 and not exists (select from pending_stop s where s.phone = r.phone)";
            ConsentMissing "consent-missing" "$7 or r.consent is not null";
            OptedOut "opted-out" "r.consent is distinct from 'opted_out'";
            AlreadyTarget "already-target"
                "not exists (select from target t
                             where (t.account_id, t.campaign_id, t.referral_id) = (r.account_id, $14, r.id))
                 and ($16::int[] is null or not exists (
                      select from target t where t.account_id = r.account_id and t.campaign_id = any($16)
                                             and t.referral_id = r.id))";
            InAnotherRun "in-another-run"
                "not $15 or not exists (
                   select from run o
                   join target t on (t.account_id, t.campaign_id, t.referral_id) = (o.account_id, o.campaign_id, r.id)
                   where o.account_id = r.account_id and o.campaign_id <> $14 and t.state = 'active')";
            TooYoung "too-young" "$18::timestamptz is null or r.registered_at < $18";
            Country "country" "$9::text[] is null or r.country = any($9)";
            Registered "registered"
                "(d.registered_from is null or r.registered_at >= d.registered_from)
                 and (d.registered_before is null or r.registered_at < d.registered_before)";
            Gender "gender" "$10::text is null or r.gender = $10";
            Profession "profession" "$11::text[] is null or r.profession_key = any($11)";
            Age "age"
                "(d.born_from is null or r.birth_date >= d.born_from)
                 and (d.born_to is null or r.birth_date <= d.born_to)";
            Language "language"
                "$12::text[] is null or r.language = any($12) or split_part(r.language, '-', 1) = any($12)";
            Attributes "attributes" "$13::jsonb is null or r.attributes @> $13";
            EnrollmentOff "enrollment-off" "d.room is not null";
        }
    };
}
pub(in crate::store) use conditions;

/// The examined accounts with their bounds, alias `d`. Parameters `$1` to `$6`.
macro_rules! seekers {
    () => {
        " unnest($1::int[], $2::timestamptz[], $3::timestamptz[], $4::date[], $5::date[], $6::bigint[])
              as d (account_id, registered_from, registered_before, born_from, born_to, room) "
    };
}
pub(in crate::store) use seekers;

/// The `from … where …` for every referral of the examined accounts, aliases `r` (referral) and `d` (account
/// with its bounds). Parameters `$1` to `$18` are those of [`Matcher::query`]; a statement's own start at `$19`.
macro_rules! people {
    () => {
        concat!(
            " from ",
            $crate::store::runs::matcher::seekers!(),
            " join referral r on r.account_id = d.account_id where $17::timestamptz is not null "
        )
    };
}
pub(in crate::store) use people;

macro_rules! all_hold {
    ($($reason:ident $name:literal $condition:expr;)*) => { concat!($(" and (", $condition, ")",)* " ") };
}
pub(in crate::store) use all_hold;

/// The rows of [`people!`] that fulfil all [`conditions!`].
macro_rules! matching {
    () => {
        concat!(
            $crate::store::runs::matcher::people!(),
            $crate::store::runs::matcher::conditions!($crate::store::runs::matcher::all_hold)
        )
    };
}
pub(in crate::store) use matching;

/// An account that looks for people.
#[derive(Debug, Clone)]
pub struct Seeker {
    pub account: AccountId,
    pub zone: Zone,
    /// True if enrollment is on for the account.
    pub enrolls: bool,
    /// The number of people that the run may still enroll now.
    pub room: u64,
    /// The campaign's run for the account is over.
    pub is_over: bool,
}

/// A campaign, and the removed earlier campaigns of its name.
#[derive(Debug, Clone)]
pub(in crate::store) struct Lives {
    present: CampaignId,
    earlier: Vec<i32>,
}

impl Lives {
    /// `present` is 0 for a campaign that is not in the database yet: it has no targets.
    pub(in crate::store) async fn of(db: &mut PgConnection, name: &Name, present: CampaignId) -> Result<Self, Error> {
        Ok(Earlier::of(db, [name]).await?.lives(name, present))
    }
}

/// All campaigns, present and past, with these names.
#[derive(Debug, Default)]
pub(in crate::store) struct Earlier(HashMap<String, Vec<i32>>);

impl Earlier {
    pub(in crate::store) async fn of<'a>(
        db: &mut PgConnection,
        names: impl IntoIterator<Item = &'a Name>,
    ) -> Result<Self, Error> {
        let names: Vec<&str> = names.into_iter().map(Name::as_str).collect();
        let rows = sqlx::query_as("select name, array_agg(id) from campaign where name = any($1) group by name")
            .bind(names)
            .fetch_all(db)
            .await
            .map_err(Error::during("look for earlier campaigns of the same name"))?;
        Ok(Self(rows.into_iter().collect()))
    }

    /// Returns all lives of the campaign that has the name at `present`.
    pub(in crate::store) fn lives(&self, name: &Name, present: CampaignId) -> Lives {
        let earlier = self.0.get(name.as_str()).into_iter().flatten().copied().filter(|id| *id != present.0);
        Lives { present, earlier: earlier.collect() }
    }
}

columns! {
    /// The bounds of an account; `room` is `None` where the account enrolls nobody.
    pub(in crate::store) struct BoundsRow {
        account_id: AccountId,
        registered_from: Option<Timestamp>,
        registered_before: Option<Timestamp>,
        born_from: Option<NaiveDate>,
        born_to: Option<NaiveDate>,
        room: Option<i64>,
    }
}

/// A campaign's filter, with its times computed for each account.
#[derive(Debug, Clone)]
pub(in crate::store) struct Matcher {
    bounds: Vec<BoundsRow>,
    /// Registrations from this instant on are too recent for `enrollAfter`.
    old_enough: Option<Timestamp>,
    legacy: bool,
    paid: Option<bool>,
    countries: Option<Vec<String>>,
    gender: Option<&'static str>,
    professions: Option<Vec<String>>,
    languages: Option<Vec<String>>,
    attributes: Option<Value>,
    campaign: i32,
    exclude_current: bool,
    /// Removed campaigns of the same name: their targets count as targets of this campaign.
    earlier: Option<Vec<i32>>,
    now: Timestamp,
}

impl Matcher {
    pub(in crate::store) fn new(lives: &Lives, spec: &Campaign, seekers: &[Seeker], now: Timestamp) -> Self {
        let filter = &spec.filter;
        let old_enough = now - TimeDelta::from_std(spec.enroll_after.into()).unwrap_or_default();
        let list = |items: Vec<String>| (!items.is_empty()).then_some(items);
        // A person is n years old from the n-th birthday to the day before the next one.
        let years_before = |day: NaiveDate, years: u16| day.checked_sub_months(Months::new(12 * u32::from(years)));
        let bounds = |seeker: &Seeker| {
            let today = seeker.zone.date(now);
            BoundsRow {
                account_id: seeker.account,
                registered_from: filter.registered_from.map(|moment| moment.at(&seeker.zone)),
                registered_before: filter.registered_to.map(|moment| moment.at(&seeker.zone)),
                born_from: filter.age_max.and_then(|most| years_before(today, most + 1)?.succ_opt()),
                born_to: filter.age_min.and_then(|least| years_before(today, least)),
                room: seeker.enrolls.then(|| i64::try_from(seeker.room).unwrap_or(i64::MAX)),
            }
        };
        Self {
            bounds: seekers.iter().map(bounds).collect(),
            old_enough: (!spec.enroll_after.is_zero()).then_some(old_enough),
            legacy: spec.consent == ConsentPolicy::Legacy,
            paid: match filter.subscription {
                Subscription::Unpaid => Some(false),
                Subscription::Paid => Some(true),
                Subscription::Any => None,
            },
            countries: list(filter.countries.iter().map(ToString::to_string).collect()),
            gender: filter.gender.map(crate::core::domain::Gender::as_str),
            professions: list(filter.professions.clone()),
            languages: list(filter.languages.iter().map(ToString::to_string).collect()),
            attributes: (!filter.attributes.is_empty()).then(|| serde_json::json!(filter.attributes)),
            campaign: lives.present.0,
            exclude_current: filter.exclude_current_targets,
            earlier: (!lives.earlier.is_empty()).then(|| lives.earlier.clone()),
            now,
        }
    }

    /// Also matches people who are only too young or only in another run, since both conditions pass with time.
    pub(in crate::store) fn sooner_or_later(self) -> Self {
        Self { old_enough: None, exclude_current: false, ..self }
    }

    /// Also matches people who are in another run.
    pub(in crate::store) fn busy_or_not(self) -> Self {
        Self { exclude_current: false, ..self }
    }

    /// Binds `$1` to `$18` of [`matching!`].
    pub(in crate::store) fn query<'q, O>(self, statement: &Batch<BoundsRow>) -> QueryAs<'q, Postgres, O, PgArguments>
    where
        O: for<'r> FromRow<'r, PgRow>,
    {
        statement
            .query_as(self.bounds)
            .bind(self.legacy)
            .bind(self.paid)
            .bind(self.countries)
            .bind(self.gender)
            .bind(self.professions)
            .bind(self.languages)
            .bind(self.attributes)
            .bind(self.campaign)
            .bind(self.exclude_current)
            .bind(self.earlier)
            .bind(self.now)
            .bind(self.old_enough)
    }
}
