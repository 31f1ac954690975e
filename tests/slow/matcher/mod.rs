//! The people that the database finds for a filter are those that a plain reading of the filter finds.

mod case;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use relance::core::dispatch::program::Program;
use relance::core::domain::{AccountId, CampaignId, Language, Name, ReferralId, Timestamp, Zone, fold};
use relance::core::manifest::desired::{Campaign, Day, Desired, Sequence};
use relance::store::{Seeker, WhyNot};

use self::case::{CASES, Case, ZONES, case};
use crate::support::database::{TestDatabase, database};
use crate::support::rows::column;

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
fn the_database_finds_the_people_that_a_plain_reading_of_the_filter_finds() {
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
