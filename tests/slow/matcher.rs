//! Whoever the database finds for a filter is whom a plain reading of the filter finds, person by person.
//!
//! The plain reading below is written from what the manifests promise, not from the SQL.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use relance::core::dispatch::program::Program;
use relance::core::domain::{
    AccountId, CampaignId, Country, Gender, Language, Moment, Name, Period, ReferralId, Timestamp, Windows, Zone, fold,
};
use relance::core::manifest::desired::{
    AccountSelector, Campaign, CampaignType, ConsentPolicy, Day, Desired, DesiredState, Enrollment, Filter, Limits,
    PastSubscription, Schedule, Sequence, Subscription,
};
use relance::store::{Seeker, WhyNot};

use crate::support::database::{TestDatabase, database};
use crate::support::rows::column;

const CASES: u32 = 400;
const ZONES: [&str; 4] = ["Africa/Douala", "Europe/Paris", "Pacific/Kiritimati", "America/St_Johns"];
/// As it was imported, and as a filter of which folded word takes it.
const PROFESSIONS: [(&str, &str); 4] = [
    ("Étudiante", "etudiante"),
    ("ETUDIANTE", "etudiante"),
    ("Élève  infirmier", "eleve infirmier"),
    ("Ingénieur", "ingenieur"),
];
/// Around changes of clocks, months and years.
const MOMENTS: [&str; 6] = [
    "2026-10-25T02:30",
    "2026-11-01",
    "2026-11-01T02:30:00+01:00",
    "2027-03-28T02:30",
    "2027-01-01",
    "2026-12-31T12:00:00Z",
];
const NOWS: [&str; 6] = [
    "2026-11-01T03:15:00Z",
    "2027-02-28T10:30:00Z",
    "2027-03-01T04:00:00Z",
    "2028-02-29T12:00:00Z",
    "2027-03-28T01:00:00Z",
    "2027-12-31T23:30:00Z",
];
const BIRTHS: [&str; 8] =
    ["2008-02-29", "2009-02-28", "2009-03-01", "2004-02-29", "2008-11-01", "2008-10-31", "1997-03-28", "2007-12-31"];

#[derive(Debug, Clone)]
struct Fact {
    account: usize,
    country: &'static str,
    gender: Option<&'static str>,
    profession: Option<&'static str>,
    birth: Option<&'static str>,
    language: Option<&'static str>,
    city: Option<&'static str>,
    /// Around which moment, and how many microseconds from it; `None`: around what `enrollAfter` asks for.
    registered: (Option<&'static str>, i64),
    paid: bool,
    consent: Option<&'static str>,
    /// Another row of the account's first person.
    old_row: bool,
    suppressed: bool,
    /// State of a target in this campaign, and in another one.
    target: Option<&'static str>,
    elsewhere: Option<&'static str>,
}

#[derive(Debug, Clone)]
struct Case {
    now: &'static str,
    filter: Filter,
    legacy: bool,
    enroll_after: u64,
    schedule_zone: Option<&'static str>,
    targets: Option<u32>,
    daily: Option<u32>,
    /// People each run has taken already on its local day, or the day before.
    enrolled: Vec<(bool, u32)>,
    /// The account whose enrollment is off.
    off: Option<usize>,
    facts: Vec<Fact>,
}

fn maybe<T: Clone + std::fmt::Debug + 'static>(items: &[T]) -> impl Strategy<Value = Option<T>> + use<T> {
    proptest::option::weighted(0.7, select(items.to_vec()))
}

fn fact() -> impl Strategy<Value = Fact> {
    let near = select(vec![-3_600_000_000_i64, -1, 0, 1, 1_800_000_000, 3_600_000_000]);
    let who = (0..ZONES.len(), select(vec!["CM", "SN", "FR"]), maybe(&["male", "female", "other"]));
    let what = (
        maybe(&PROFESSIONS.map(|p| p.0)),
        maybe(&BIRTHS),
        maybe(&["fr", "fr-CM", "en", "pt-BR", "fra"]),
        maybe(&["Douala", "douala"]),
    );
    let when = (proptest::option::weighted(0.8, select(MOMENTS.to_vec())), near);
    // Mostly people who can be taken, so that the other conditions are met at all.
    let state = (
        proptest::bool::weighted(0.2),
        select(vec![Some("opted_in"), Some("opted_in"), Some("opted_in"), None, Some("opted_out")]),
        proptest::bool::weighted(0.1),
        proptest::bool::weighted(0.1),
        proptest::option::weighted(0.1, select(vec!["active", "completed"])),
        proptest::option::weighted(0.3, select(vec!["active", "completed"])),
    );
    (who, what, when, state).prop_map(|(who, what, registered, state)| Fact {
        account: who.0,
        country: who.1,
        gender: who.2,
        profession: what.0,
        birth: what.1,
        language: what.2,
        city: what.3,
        registered,
        paid: state.0,
        consent: state.1,
        old_row: state.2,
        suppressed: state.3,
        target: state.4,
        elsewhere: state.5,
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let rarely = |items: &[&'static str]| {
        proptest::option::weighted(0.25, proptest::sample::subsequence(items.to_vec(), 1..=items.len()))
    };
    let ages = (proptest::option::weighted(0.25, 17_u16..20), proptest::option::weighted(0.25, 18_u16..31));
    let moments = (
        proptest::option::weighted(0.3, select(MOMENTS.to_vec())),
        proptest::option::weighted(0.3, select(MOMENTS.to_vec())),
    );
    let lists =
        (rarely(&["CM", "SN"]), rarely(&["etudiante", "eleve infirmier", "nobody"]), rarely(&["fr", "pt-BR", "en-GB"]));
    let rest = (
        proptest::option::weighted(0.2, select(vec![Gender::Male, Gender::Female, Gender::Other])),
        select(vec![Subscription::Unpaid, Subscription::Unpaid, Subscription::Paid, Subscription::Any]),
        any::<bool>(),
        proptest::option::weighted(0.2, Just("Douala")),
    );
    (lists, ages, moments, rest).prop_map(|(lists, ages, moments, rest)| Filter {
        countries: lists.0.iter().flatten().map(|code| Country::parse(code).unwrap()).collect(),
        professions: lists.1.iter().flatten().map(ToString::to_string).collect(),
        languages: lists.2.iter().flatten().map(|tag| Language::parse(tag).unwrap()).collect(),
        age_min: ages.0,
        age_max: ages.1,
        registered_from: moments.0.map(|text| Moment::parse(text).unwrap()),
        registered_to: moments.1.map(|text| Moment::parse(text).unwrap()),
        gender: rest.0,
        subscription: rest.1,
        exclude_current_targets: rest.2,
        attributes: rest.3.map(|city| ("city".to_owned(), city.to_owned())).into_iter().collect(),
    })
}

fn case() -> impl Strategy<Value = Case> {
    let limits = (proptest::option::weighted(0.3, 0_u32..5), proptest::option::weighted(0.3, 1_u32..4));
    let enrolled = proptest::collection::vec((any::<bool>(), 0_u32..3), ZONES.len());
    let enrolled = (enrolled, proptest::option::weighted(0.3, 0..ZONES.len()));
    let rules = (any::<bool>(), select(vec![0_u64, 3_600]), proptest::option::weighted(0.3, select(ZONES.to_vec())));
    (select(NOWS.to_vec()), filter(), rules, limits, enrolled, proptest::collection::vec(fact(), 1..40)).prop_map(
        |(now, filter, rules, limits, enrolled, facts)| Case {
            now,
            filter,
            legacy: rules.0,
            enroll_after: rules.1,
            schedule_zone: rules.2,
            targets: limits.0,
            daily: limits.1,
            enrolled: enrolled.0,
            off: enrolled.1,
            facts,
        },
    )
}

impl Case {
    fn now(&self) -> jiff::Timestamp {
        self.now.parse().unwrap()
    }

    fn registered(&self, fact: &Fact) -> jiff::Timestamp {
        let (around, micros) = fact.registered;
        let around = match around {
            Some(moment) => instant(moment, ZONES[fact.account]),
            None => self.now() - jiff::SignedDuration::from_secs(self.enroll_after.try_into().unwrap()),
        };
        around + jiff::SignedDuration::from_micros(micros)
    }

    fn phone(&self, at: usize) -> String {
        let fact = &self.facts[at];
        // An old row has the phone of the account's first person, who may be an old row too.
        let first = self.facts.iter().position(|other| other.account == fact.account).unwrap();
        format!("+237671{:06}", if fact.old_row { first } else { at })
    }

    fn today(&self, account: usize) -> Date {
        self.now().to_zoned(TimeZone::get(ZONES[account]).unwrap()).date()
    }

    /// Why the campaign does not take somebody, by the words of the manifests.
    fn reasons(&self, at: usize, suppressed: &BTreeSet<String>) -> Vec<WhyNot> {
        let (fact, filter) = (&self.facts[at], &self.filter);
        let registered = self.registered(fact);
        let zone = ZONES[fact.account];
        let moment = |moment: Moment| instant(&String::from(moment), zone);
        let age = fact.birth.map(|birth| age(birth.parse().unwrap(), self.today(fact.account)));
        let language = |wanted: &Language| {
            let wanted = wanted.as_str();
            fact.language.is_some_and(|own| own == wanted || own.split('-').next() == Some(wanted))
        };
        let profession = |wanted: &String| {
            fact.profession.is_some_and(|own| PROFESSIONS.iter().any(|(raw, folded)| *raw == own && folded == wanted))
        };
        let wait = jiff::SignedDuration::from_secs(self.enroll_after.try_into().unwrap());
        let reasons = [
            (WhyNot::NotCurrent, fact.old_row),
            (WhyNot::Paid, filter.subscription == Subscription::Unpaid && fact.paid),
            (WhyNot::NotPaid, filter.subscription == Subscription::Paid && !fact.paid),
            (WhyNot::Suppressed, suppressed.contains(&self.phone(at))),
            (WhyNot::ConsentMissing, fact.consent.is_none() && !self.legacy),
            (WhyNot::OptedOut, fact.consent == Some("opted_out")),
            (WhyNot::AlreadyTarget, fact.target.is_some()),
            (WhyNot::InAnotherRun, filter.exclude_current_targets && fact.elsewhere == Some("active")),
            (WhyNot::TooYoung, !wait.is_zero() && self.now().duration_since(registered) <= wait),
            (
                WhyNot::Country,
                !filter.countries.is_empty()
                    && !filter.countries.iter().any(|country| country.as_str() == fact.country),
            ),
            (
                WhyNot::Registered,
                filter.registered_from.is_some_and(|from| registered < moment(from))
                    || filter.registered_to.is_some_and(|to| registered >= moment(to)),
            ),
            (WhyNot::Gender, filter.gender.is_some_and(|gender| fact.gender != Some(gender.as_str()))),
            (WhyNot::Profession, !filter.professions.is_empty() && !filter.professions.iter().any(profession)),
            (
                WhyNot::Age,
                filter.age_min.is_some_and(|min| age.is_none_or(|age| age < i32::from(min)))
                    || filter.age_max.is_some_and(|max| age.is_none_or(|age| age > i32::from(max))),
            ),
            (WhyNot::Language, !filter.languages.is_empty() && !filter.languages.iter().any(language)),
            (
                WhyNot::Attributes,
                !filter.attributes.iter().all(|(key, value)| key == "city" && fact.city == Some(value)),
            ),
            (WhyNot::EnrollmentOff, self.off == Some(fact.account)),
        ];
        reasons.into_iter().filter(|(_, holds)| *holds).map(|(reason, _)| reason).collect()
    }

    fn suppressed(&self) -> BTreeSet<String> {
        (0..self.facts.len()).filter(|at| self.facts[*at].suppressed).map(|at| self.phone(at)).collect()
    }

    /// How many more this account's run may take now.
    fn room(&self, account: usize) -> usize {
        let ever = self.facts.iter().filter(|fact| fact.account == account && fact.target.is_some()).count();
        let (today, count) = self.enrolled[account];
        let today = if today { count } else { 0 };
        let left =
            |limit: Option<u32>, taken: usize| limit.map_or(usize::MAX, |limit| (limit as usize).saturating_sub(taken));
        left(self.targets, ever).min(left(self.daily, today as usize))
    }

    /// By account: everybody who is taken now, the newest registration first.
    fn expected(&self) -> Vec<Vec<usize>> {
        let suppressed = self.suppressed();
        (0..ZONES.len())
            .map(|account| {
                let own = (0..self.facts.len()).filter(|at| self.facts[*at].account == account);
                let mut taken: Vec<usize> = own.filter(|at| self.reasons(*at, &suppressed).is_empty()).collect();
                // Of two who registered at the same instant, the one who came later first.
                taken.sort_by_key(|at| std::cmp::Reverse((self.registered(&self.facts[*at]), *at)));
                taken.truncate(self.room(account));
                taken
            })
            .collect()
    }

    fn campaign(&self) -> Campaign {
        Campaign {
            kind: CampaignType::Filtered,
            state: DesiredState::Active,
            accounts: AccountSelector::All,
            filter: self.filter.clone(),
            schedule: Schedule {
                start_at: None,
                end_at: None,
                timezone: self.schedule_zone.map(|name| Zone::parse(name).unwrap()),
                windows: Windows { windows: vec![], blackouts: vec![] },
                first_after: Period::hours(6),
                every: Period::hours(24),
            },
            run_after: None,
            past_subscription: PastSubscription::default(),
            priority: 1,
            sequence: Name::parse("days").unwrap(),
            days: BTreeMap::new(),
            limits: Limits { messages_per_day: None, targets: self.targets, daily_enrollments: self.daily },
            enrollment: Enrollment::Continuous,
            enroll_after: Period::seconds(self.enroll_after),
            consent: if self.legacy { ConsentPolicy::Legacy } else { ConsentPolicy::Required },
            exit_on_paid: false,
            channel: None,
        }
    }
}

/// Whole years on `today`; who was born on 29 February has their birthday on 1 March in other years.
fn age(birth: Date, today: Date) -> i32 {
    let years = i32::from(today.year()) - i32::from(birth.year());
    let before_birthday = (today.month(), today.day()) < (birth.month(), birth.day());
    years - i32::from(before_birthday)
}

/// An absolute time, or a wall time in `zone`.
fn instant(text: &str, zone: &str) -> jiff::Timestamp {
    if let Ok(absolute) = text.parse() {
        return absolute;
    }
    let wall: jiff::civil::DateTime = text.parse().unwrap();
    wall.in_tz(zone).unwrap().timestamp()
}

async fn run(db: &TestDatabase, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&db.pool).await.unwrap();
}

fn quoted<T: ToString>(value: Option<T>) -> String {
    value.map_or("null".to_owned(), |value| format!("'{}'", value.to_string().replace('\'', "''")))
}

/// Empties the database and writes the facts of `case`; ids are places, from 1.
async fn write(db: &TestDatabase, case: &Case) {
    let mut sql =
        "delete from target; delete from run; delete from lane; delete from referral; delete from suppression;
        delete from account;"
            .to_owned();
    for (at, zone) in ZONES.iter().enumerate() {
        let (today, count) = case.enrolled[at];
        let day = if today { case.today(at) } else { case.today(at).yesterday().unwrap() };
        sql += &format!(
            "insert into account (id, external_id, name, timezone, as_of) overriding system value
             values ({id}, 'a{id}', 'A', '{zone}', '2026-01-01Z');
             insert into lane (account_id) values ({id});
             insert into run (account_id, campaign_id, phase, reason, detail, created_at, revision_id, enroll_at, enrolled_on, enrolled)
             values ({id}, 1, 'active', 'running', '{{}}', '2026-01-01Z', 1, '2026-01-01Z', '{day}', {count}),
                    ({id}, 2, 'active', 'running', '{{}}', '2026-01-01Z', 1, null, null, 0);",
            id = at + 1,
        );
    }
    for (at, fact) in case.facts.iter().enumerate() {
        let (id, account, phone) = (at + 1, fact.account + 1, case.phone(at));
        let attributes = fact.city.map_or("{}".to_owned(), |city| format!("{{\"city\": \"{city}\", \"x\": \"y\"}}"));
        sql += &format!(
            "insert into referral (account_id, id, external_id, name, phone, language, country, gender, profession, profession_key,
                                   birth_date, registered_at, paid_at, consent, attributes, as_of, is_current)
             overriding system value
             values ({account}, {id}, 'r{id}', 'P', '{phone}', {}, '{}', {}, {}, {}, {}, '{}', {}, {}, '{attributes}', '2026-01-01Z', {});",
            quoted(fact.language),
            fact.country,
            quoted(fact.gender),
            quoted(fact.profession),
            quoted(fact.profession.map(fold)),
            quoted(fact.birth),
            case.registered(fact),
            quoted(fact.paid.then_some("2026-01-02Z")),
            quoted(fact.consent),
            !fact.old_row,
        );
        if fact.suppressed {
            sql +=
                &format!("insert into suppression values ('{phone}', 'reply', '2026-01-02Z') on conflict do nothing;");
        }
        for (campaign, state) in [(1, fact.target), (2, fact.elsewhere)] {
            let Some(state) = state else { continue };
            let ended = if state == "active" { "null" } else { "'2026-01-03Z'" };
            sql += &format!(
                "insert into target (account_id, campaign_id, referral_id, state, day, enrolled_at, revision_id, ended_at)
                 values ({account}, {campaign}, {id}, '{state}', 1, '2026-01-02Z', 1, {ended});"
            );
        }
    }
    run(db, &sql).await;
}

fn program(campaign: Campaign, off: Option<usize>) -> Program {
    let language = Language::parse("fr").unwrap();
    let day = Day {
        text: [(language.clone(), "Bonjour".to_owned())].into(),
        subject: BTreeMap::new(),
        media: vec![],
        whatsapp_template: None,
        after: None,
    };
    let sequence = Sequence { days: [(1, day)].into(), fallback_language: language };
    let name = |text| Name::parse(text).unwrap();
    let off = off.map(|at| format!(r#"{{"accounts": {{"names": ["a{}"]}}, "enrollment": "off"}}"#, at + 1));
    let off = off.map(|json| (name("off"), serde_json::from_str(&json).unwrap()));
    let desired = Desired {
        accounts: off.into_iter().collect(),
        campaigns: [(name("c"), campaign)].into(),
        sequences: [(name("days"), sequence)].into(),
        ..Desired::default()
    };
    Program::compile(&desired, &[(name("c"), CampaignId(1))].into(), 0, 1)
}

/// Checks one case; returns how many people it takes.
async fn agree(db: &TestDatabase, case: &Case) -> Result<usize, TestCaseError> {
    write(db, case).await;
    let (now, spec): (Timestamp, _) = (case.now.parse().unwrap(), case.campaign());
    let expected = case.expected();

    let seekers: Vec<Seeker> = ZONES
        .iter()
        .enumerate()
        .map(|(at, zone)| Seeker {
            account: AccountId(i32::try_from(at + 1).unwrap()),
            zone: Zone::parse(zone).unwrap(),
            enrolls: case.off != Some(at),
            room: case.room(at) as u64,
            is_over: false,
        })
        .collect();
    let counted =
        db.store.count_mismatches((&Name::parse("c").unwrap(), CampaignId(1)), &spec, &seekers, now).await.unwrap();
    let taken = counted.into_iter().filter(|(_, reason, n)| reason.is_none() && *n > 0);
    let counted: Vec<(i32, u64)> = taken.map(|(account, _, n)| (account.0, n)).collect();
    let plainly: Vec<(i32, u64)> = expected
        .iter()
        .enumerate()
        .map(|(at, people)| (i32::try_from(at + 1).unwrap(), people.len() as u64))
        .filter(|(_, people)| *people > 0)
        .collect();
    prop_assert_eq!(counted, plainly, "counted");

    agree_on_reasons(db, case, &expected, &spec, &seekers, now).await?;

    let before: BTreeSet<usize> = (0..case.facts.len()).filter(|at| case.facts[*at].target.is_some()).collect();
    let program = program(spec, case.off);
    let enrolled = db.store.enroll(&program, CampaignId(1), now).await.unwrap();
    let rows: Vec<i64> = column(
        &db.pool,
        "select referral_id from target where campaign_id = 1 order by account_id, due_at nulls last, referral_id desc",
    )
    .await;
    let found: BTreeSet<usize> =
        rows.iter().map(|id| usize::try_from(*id).unwrap() - 1).filter(|at| !before.contains(at)).collect();
    let plainly: BTreeSet<usize> = expected.iter().flatten().copied().collect();
    prop_assert_eq!(&found, &plainly, "enrolled");
    prop_assert_eq!(enrolled.people, plainly.len() as u64);

    // Once more: nobody twice, and nobody beyond the limits.
    run(db, &format!("update run set enroll_at = '{}'", case.now)).await;
    let again = db.store.enroll(&program, CampaignId(1), now).await.unwrap();
    prop_assert_eq!(again.people, 0, "a second pass");
    Ok(plainly.len())
}

/// Checks that everybody is counted once, under the reason that a plain reading tells first, and that one person is
/// told all of theirs.
async fn agree_on_reasons(
    db: &TestDatabase,
    case: &Case,
    expected: &[Vec<usize>],
    spec: &Campaign,
    seekers: &[Seeker],
    now: Timestamp,
) -> Result<(), TestCaseError> {
    let name = Name::parse("c").unwrap();
    let key = (&name, CampaignId(1));
    let suppressed = case.suppressed();
    let account = |at: usize| AccountId(i32::try_from(case.facts[at].account + 1).unwrap());
    let plainly: Vec<Vec<WhyNot>> = (0..case.facts.len())
        .map(|at| {
            let mut reasons = case.reasons(at, &suppressed);
            if reasons.is_empty() && !expected[case.facts[at].account].contains(&at) {
                reasons.push(WhyNot::Cap);
            }
            reasons
        })
        .collect();
    let mut counts: BTreeMap<(AccountId, Option<WhyNot>), u64> = BTreeMap::new();
    for (at, reasons) in plainly.iter().enumerate() {
        *counts.entry((account(at), reasons.first().copied())).or_default() += 1;
    }
    let counted = db.store.count_mismatches(key, spec, seekers, now).await.unwrap();
    let counted: Vec<_> = counted.into_iter().map(|(account, reason, people)| ((account, reason), people)).collect();
    prop_assert_eq!(counted, counts.into_iter().collect::<Vec<_>>(), "counted by reason");

    // A query each: a few will do.
    for (at, reasons) in plainly.iter().enumerate().take(3) {
        let (seeker, id) = (&seekers[case.facts[at].account], ReferralId(i64::try_from(at + 1).unwrap()));
        let told = db.store.why_not(key, spec, seeker, id, now).await.unwrap();
        prop_assert_eq!(told.as_ref(), Some(reasons), "told to person {}", at);
        let stranger = &seekers[(case.facts[at].account + 1) % seekers.len()];
        prop_assert_eq!(db.store.why_not(key, spec, stranger, id, now).await.unwrap(), None);
    }
    Ok(())
}

#[test]
fn whom_the_database_finds_is_whom_a_plain_reading_finds() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let db = runtime.block_on(database());
    runtime.block_on(run(
        &db,
        "insert into revision (digest, accepted_at, plan) values ('', '2026-01-01Z', '[]');
         insert into campaign (name) values ('c'), ('other');",
    ));
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let (people, somebody) = (Cell::new(0), Cell::new(0));
    let result = runner.run(&case(), |case| {
        let taken = runtime.block_on(agree(&db, &case))?;
        people.set(people.get() + taken);
        somebody.set(somebody.get() + u32::from(taken > 0));
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    // A generator under which nobody ever matches proves nothing.
    assert!(
        somebody.get() > CASES / 3,
        "somebody matched in {} of {CASES} cases, {} in all",
        somebody.get(),
        people.get()
    );
}
