//! What is planned on an exported state is what is planned on its database, for random trees and people.

use chrono::TimeDelta;

use crate::forecast::Case;
use crate::support::database::database;
use crate::support::export::{exported, load, planned};

/// Somebody twice, in one account and in two, people who said STOP, and columns to filter by.
async fn complicate(case: &mut Case) {
    case.sql(
        "insert into referral (account_id, external_id, name, phone, language, country, registered_at, consent, as_of,
                               is_current)
         select account_id, external_id || '-twin', name, phone, language, country, registered_at - interval '1 day',
                consent, as_of, false
         from referral where id % 3 = 0",
    )
    .await;
    case.sql(
        "update referral r set phone = o.phone from referral o
         where r.account_id = 2 and o.account_id = 1 and r.id = o.id + 5 and r.is_current and o.is_current",
    )
    .await;
    let digit = case.dice.below(10);
    case.sql(&format!(
        "insert into suppression (phone, source, suppressed_at)
         select distinct phone, 'reply', timestamptz '2026-01-02Z' from referral where phone like '%{digit}'"
    ))
    .await;
    case.sql(
        "update referral set attributes = jsonb_build_object('tier', (array['gold', 'tin'])[1 + id % 2], 'note', 'x')",
    )
    .await;
    case.sql("update account set attributes = '{\"region\": \"west\"}' where id <> 2").await;
}

fn with_attributes(yaml: &str, seed: u64) -> String {
    match seed % 3 {
        0 => yaml.replace("filter: {", "filter: {attributes: {tier: gold}, ").replace("gold}, }", "gold}}"),
        1 => yaml.replace("names: [a1, a2]", "matchLabels: {region: west}"),
        _ => yaml.to_owned(),
    }
}

#[tokio::test]
async fn a_plan_on_a_snapshot_equals_the_plan_on_its_database() {
    let copy = database().await;
    let mut db = database().await;
    let mut people = 0;
    for seed in 0..30 {
        let mut case = Case::begin(seed, db).await;
        complicate(&mut case).await;
        let yaml = with_attributes(&case.tree(), seed);
        case.apply(&yaml).await;
        case.order().await;
        let hours = i64::try_from(case.dice.below(150)).unwrap();
        case.world.run_until(case.world.now() + TimeDelta::hours(hours)).await.unwrap();
        let now = case.world.now();
        let edit = with_attributes(&case.tree(), seed + 1);
        copy.empty().await;
        load(&exported(&case.db.store, &["tier", "region"]).await, &copy.store).await.unwrap();
        for yaml in [&yaml, &edit] {
            let (here, there) = (planned(yaml, &case.db.store, now).await, planned(yaml, &copy.store, now).await);
            assert_eq!(here, there, "seed {seed} after {hours} h");
            people += here.matches("enrolled now").count() + here.matches("done by").count();
        }
        db = case.db;
    }
    assert!(people > 30, "plans that say nothing of people: {people}");
}
