//! What is foreseen, held against what happens in the production world.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use relance::domain::{AccountId, NaiveDate, Timestamp};
use relance::lifecycle::operator::{Action, Override, Scope};
use relance::manifest::check;
use relance::store::Ordered;

use crate::sending::{ALWAYS, NO_PACE, tree};
use crate::world::{Person, World, sources};

const MONDAY: &str = "2026-11-30T08:00:00Z";

/// Random trees that are looked at.
const SEEDS: u64 = 30;

/// By campaign: the local day on which its run ends, and its messages.
type Ends = BTreeMap<String, (Option<NaiveDate>, i64)>;

async fn foreseen(world: &World, yaml: &str, now: Timestamp) -> Ends {
    let in_force = world.store().in_force().await.unwrap();
    let desired = check(&sources(yaml)).desired;
    let account = AccountId(world.one("select id from account").await);
    let [foreseen] = world.store().forecast(&desired, &in_force, &[account], now).await.unwrap().try_into().unwrap();
    let day = |at: Timestamp| foreseen.zone.date(at);
    let end = |outlook: &relance::plan::forecast::Outlook| {
        (outlook.finish.at().map(day), i64::try_from(outlook.messages_total()).unwrap())
    };
    foreseen.outlooks.iter().map(|(name, outlook)| (name.to_string(), end(outlook))).collect()
}

/// What comes of it until nothing happens any more.
async fn happened(world: &mut World, days: i64) -> Ends {
    world.run_until(world.now + TimeDelta::days(days)).await;
    let rows: Vec<(String, Option<NaiveDate>, i64)> = sqlx::query_as(
        "select c.name, (r.finished_at at time zone 'Africa/Douala')::date,
                (select count(*) from message m where m.campaign_id = c.id)
         from run r join campaign c on c.id = r.campaign_id",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    rows.into_iter().map(|(name, day, messages)| (name, (day, messages))).collect()
}

/// The campaigns whose end was not foreseen within a day, or whose messages were not.
fn amiss(foreseen: &Ends, happened: &Ends) -> Vec<String> {
    let alike = |(day, messages): &(Option<NaiveDate>, i64), (found, sent): &(Option<NaiveDate>, i64)| {
        let apart = day.zip(*found).map(|(day, found)| (day - found).num_days().abs());
        apart.is_some_and(|days| days <= 1) && messages == sent
    };
    let amiss = foreseen.iter().filter(|(name, end)| !happened.get(*name).is_some_and(|found| alike(end, found)));
    amiss.map(|(name, end)| format!("{name}: {end:?}, but {:?}", happened.get(name))).collect()
}

/// Numbers that look random, and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        choices[usize::try_from(self.0 >> 33).unwrap() % choices.len()]
    }
}

fn random_tree(dice: &mut Dice) -> String {
    let days = dice.pick(&["1", "2", "4"]).parse().unwrap();
    let pace = dice.pick(&[NO_PACE, "pacing: {every: 30m, jitter: 10m}", "pacing: {every: 2h, jitter: 0s}"]);
    let cap = dice.pick(&["", "limits: {messagesPerDay: 3}, ", "limits: {messagesPerDay: 20}, "]);
    let mut campaign = || {
        let schedule = dice.pick(&[
            ALWAYS,
            "schedule: {firstAfter: 0s, windows: [{from: '09:00', to: '18:00'}]}",
            "schedule: {firstAfter: 1h, windows: [{days: [mon, tue, wed, thu, fri], from: '08:00', to: '12:00'}]}",
            "schedule: {firstAfter: 0s, startAt: '2026-12-04', windows: [{from: '09:00', to: '18:00'}]}",
        ]);
        let limits = dice.pick(&["{}", "{dailyEnrollments: 2}", "{messagesPerDay: 2}", "{targets: 4}"]);
        let priority = dice.pick(&["1", "1", "2"]);
        let filter = dice.pick(&["{}", "{}", "{excludeCurrentTargets: true}"]);
        format!("priority: {priority}, limits: {limits}, filter: {filter}, {schedule}")
    };
    let (first, second) = (campaign(), campaign());
    tree(days, &format!("{cap}{pace}"), &[("a", &first), ("b", &second)])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_foreseen_happens_within_a_day() {
    let mut world = World::at(MONDAY).await;
    let mut wrong = Vec::new();
    for seed in 1..=SEEDS {
        world = world.again(MONDAY).await;
        world.account("a1").await;
        for n in 1..=(seed % 9 + 1) {
            world.person(Person::new(&format!("r{n}"), &format!("+237671{n:06}"))).await;
        }
        let yaml = random_tree(&mut Dice(seed));
        if seed % 3 == 0 {
            let until = Some(world.now + TimeDelta::days(5));
            let (actor, reason) = ("maria".to_owned(), "holidays".to_owned());
            let pause = Override { scope: Scope::Account(AccountId(1)), action: Action::Pause, actor, reason, until };
            assert!(matches!(world.order(&pause).await, Ordered::Done(_)));
        }
        let before = foreseen(&world, &yaml, world.now).await;
        world.apply(&yaml).await;
        let after = happened(&mut world, 120).await;
        let found = amiss(&before, &after);
        if !found.is_empty() || before.len() != after.len() {
            let campaigns = yaml.lines().filter(|line| line.starts_with("spec: {")).collect::<Vec<_>>().join("\n");
            wrong.push(format!("seed {seed}: {found:?}\n{campaigns}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
