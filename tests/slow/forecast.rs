//! What is foreseen is what happens: forecasts of random trees and people against the time machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use relance::core::domain::{AccountId, Timestamp};
use relance::core::lifecycle::overrides::{Action, Override, Scope};
use relance::core::manifest;
use relance::core::manifest::desired::AccountSelector;
use relance::core::manifest::{SourceFile, Sources};
use relance::core::plan::Plan;
use relance::core::plan::forecast::{Finish, Foreseen, Outlook};
use relance::core::plan::plan;
use relance::daemon::reconcile::{By, Outcome};
use relance::store::{Ordered, Tree};
use relance::time_machine::{Script, World};

use crate::dice::Dice;
use crate::support::database::{TestDatabase, database};
use crate::support::rows::execute;

const BEGINS: [&str; 4] =
    ["2026-11-30T07:00:00Z", "2027-03-10T06:17:00Z", "2027-03-26T22:30:00Z", "2026-12-24T15:45:10Z"];
const ZONES: [&str; 5] =
    ["Africa/Douala", "Europe/Paris", "Pacific/Kiritimati", "America/New_York", "Australia/Lord_Howe"];
const ACCOUNTS: usize = 3;
/// How far the simulation looks.
const DAYS: i64 = 60;

pub(crate) struct Case {
    seed: u64,
    pub(crate) db: TestDatabase,
    pub(crate) world: World,
    pub(crate) dice: Dice,
    /// The pace of the present tree has a part of chance.
    jitter: bool,
    story: Vec<String>,
    /// What had happened when the last forecast was made.
    before: BTreeMap<(String, String), (Option<Timestamp>, i64)>,
}

impl Case {
    pub(crate) async fn begin(seed: u64, db: TestDatabase) -> Self {
        db.empty().await;
        let mut dice = Dice::new(seed);
        let now = dice.pick(&BEGINS).parse().unwrap();
        let world = World::begin(db.store.clone(), Arc::new(Script::keeping()), now).with_stride(TimeDelta::hours(12));
        let mut case = Self { seed, db, world, dice, jitter: false, story: vec![], before: BTreeMap::new() };
        case.facts().await;
        case
    }

    async fn facts(&mut self) {
        let mut people = 0;
        for account in 1..=ACCOUNTS {
            let zone = self.dice.pick(&ZONES);
            self.sql(&format!(
                "insert into account (id, external_id, name, language, timezone, attributes, as_of) overriding system value
                 values ({account}, 'a{account}', 'A', 'fr', '{zone}', '{{\"odd\": \"{}\"}}', '2026-01-01Z')",
                account % 2
            ))
            .await;
            self.story.push(format!("a{account} in {zone}"));
            for _ in 0..self.dice.below(14) {
                people += 1;
                // Most registered long ago, some in the last hours.
                let age = if self.dice.below(5) == 0 { self.dice.below(7_200) } else { self.dice.below(3_000_000) };
                let at = self.world.now() - TimeDelta::seconds(i64::try_from(age).unwrap());
                let country = self.dice.pick(&["CM", "CM", "SN"]);
                let paid = if self.dice.below(8) == 0 { "'2026-01-02Z'" } else { "null" };
                let zone = self.dice.pick(&["null", "null", "'Asia/Tokyo'", "'America/New_York'", "'Europe/Paris'"]);
                let consent = self.dice.pick(&["'opted_in'", "'opted_in'", "'opted_in'", "'opted_in'", "null"]);
                self.story.push(format!("  r{people} {country} {zone} {at} paid {paid} {consent}"));
                self.sql(&format!(
                    "insert into referral (account_id, external_id, name, phone, language, country, timezone,
                                           registered_at, paid_at, consent, as_of, is_current)
                     values ({account}, 'r{people}', 'P', '+237671{people:06}', 'fr', '{country}', {zone}, '{at}', {paid},
                             {consent}, '2026-01-01Z', true)"
                ))
                .await;
            }
        }
    }

    pub(crate) async fn sql(&self, statement: &str) {
        execute(&self.db.pool, statement).await;
    }

    /// Sometimes an operator stops an account or a campaign, or has it go on, for a time or for good.
    pub(crate) async fn order(&mut self) {
        let in_force = self.db.store.in_force().await.unwrap();
        let mut dice = Dice::new(self.seed + 1_000);
        if dice.below(2) == 0 {
            return;
        }
        let campaigns: Vec<_> = in_force.campaigns.values().copied().collect();
        let account = AccountId(i32::try_from(1 + dice.below(ACCOUNTS)).unwrap());
        let scope = match dice.below(3) {
            0 if !campaigns.is_empty() => Scope::Campaign(dice.pick(&campaigns)),
            1 if !campaigns.is_empty() => Scope::Run(account, dice.pick(&campaigns)),
            _ => Scope::Account(account),
        };
        let action = dice.pick(&[Action::Pause, Action::Pause, Action::Resume, Action::Start]);
        let hours = dice.pick(&[None, Some(5), Some(50), Some(170)]);
        let until = hours.map(|hours| self.world.now() + TimeDelta::hours(hours));
        let order = Override { scope, action, actor: "maria".to_owned(), reason: "audit".to_owned(), until };
        self.story.push(format!("{action} {scope:?} until {until:?}"));
        let (program, _) = self.world.in_force().await.unwrap();
        let ordered = self.db.store.set_override(&program, &order, self.world.now()).await.unwrap();
        assert!(matches!(ordered, Ordered::Done(_)), "{ordered:?}");
        self.world.touch();
    }

    /// One of several, or nothing.
    fn maybe(&mut self, one_in: usize, items: &[&str]) -> String {
        if self.dice.below(one_in) == 0 { self.dice.pick(items).to_owned() } else { String::new() }
    }

    pub(crate) fn tree(&mut self) -> String {
        let cap = self.maybe(2, &["limits: {messagesPerDay: 2}, ", "limits: {messagesPerDay: 5}, "]);
        let pacing = self.dice.pick(&[
            "pacing: {every: 0s, jitter: 0s}",
            "pacing: {every: 0s, jitter: 0s}",
            "pacing: {every: 100m, jitter: 40m}",
            "pacing: {every: 37m, jitter: 0s}",
            "pacing: {jitter: 0s, waves: [{messages: 2, every: 10m, pauseAfter: 4h}, {messages: 1, every: 1m, pauseAfter: 90m}]}",
        ]);
        self.jitter = pacing.contains("jitter: 40m");
        let consent = self.maybe(3, &["consent: legacy, "]) + &self.maybe(3, &["allowSimultaneousCampaigns: true, "]);
        let mut tree = format!(
            "apiVersion: relance/v1\nkind: Defaults\nmetadata: {{name: defaults}}\nspec: {{{cap}{consent}{pacing}}}\n"
        );
        for (name, days) in [("short", 1), ("long", 4)] {
            let days: Vec<String> = (1..=days)
                .map(|day| {
                    let after = self.maybe(4, &["after: 50h, ", "after: 3h, "]);
                    format!("{{day: {day}, {after}text: {{fr: 'Jour {day}. {{{{ optOutHint }}}}'}}}}")
                })
                .collect();
            tree += &format!(
                "---\napiVersion: relance/v1\nkind: Sequence\nmetadata: {{name: {name}}}\nspec: {{fallbackLanguage: fr, days: [{}]}}\n",
                days.join(", ")
            );
        }
        let names = &["one", "two", "three"][..=self.dice.below(3)];
        for (at, name) in names.iter().enumerate() {
            let kind = if at == 0 { self.dice.pick(&["filtered", "filtered", "default"]) } else { "filtered" };
            let after = if at == 2 { self.maybe(3, &["runAfter: two, "]) } else { String::new() };
            tree += &format!(
                "---\napiVersion: relance/v1\nkind: Campaign\nmetadata: {{name: {name}}}\nspec: {{type: {kind}, {after}{}}}\n",
                self.campaign()
            );
        }
        // Nobody waits for `one`, which may be a default campaign; `two` may wait for nobody who never ends.
        if names.len() == 3 && !tree.contains("runAfter") && self.dice.below(3) == 0 {
            let order = self.dice.pick(&["[two, three]", "[three, two]"]);
            let parallelism = self.maybe(4, &[", parallelism: 2"]);
            tree += &format!(
                "---\napiVersion: relance/v1\nkind: Queue\nmetadata: {{name: queue}}\nspec: {{campaigns: {order}{parallelism}}}\n"
            );
        }
        if names.len() == 3 && (tree.contains("runAfter") || tree.contains("kind: Queue")) {
            tree = tree.replace("enrollment: continuous", "enrollment: once");
        }
        tree + &self.accounts()
    }

    /// Sometimes an account, or those of a label, have it otherwise.
    fn accounts(&self) -> String {
        let mut dice = Dice::new(self.seed * 1_000 + self.story.len() as u64);
        let mut manifests = String::new();
        for (name, accounts) in [("named", "names: [a1]"), ("labelled", "matchLabels: {odd: '1'}")] {
            if dice.below(3) > 0 {
                continue;
            }
            let said = dice.pick(&[
                "limits: {messagesPerDay: 1}",
                "limits: {messagesPerDay: 4}, enrollment: on",
                "pacing: {every: 50m, jitter: 0s}",
                "pacing: {every: 0s}, allowSimultaneousCampaigns: false",
                "allowSimultaneousCampaigns: true",
                "enrollment: off",
                "sending: off",
            ]);
            manifests += &format!(
                "---\napiVersion: relance/v1\nkind: Account\nmetadata: {{name: {name}}}\nspec: {{accounts: {{{accounts}}}, {said}}}\n"
            );
        }
        manifests
    }

    fn campaign(&mut self) -> String {
        let mut parts = Vec::new();
        parts.push(format!("sequenceRef: {}", self.dice.pick(&["short", "long", "long", "long"])));
        parts.push(format!("priority: {}", self.dice.pick(&[10, 10, 20])));
        parts.push(self.maybe(8, &["state: paused", "state: draft"]));
        parts.push(self.maybe(4, &["accounts: {names: [a1, a2]}"]));
        parts.push(format!("enrollment: {}", self.dice.pick(&["untilDrained", "untilDrained", "once", "continuous"])));
        parts.push(self.maybe(3, &["enrollAfter: 1h"]));
        let filter = [
            self.maybe(2, &["countries: [CM]", "countries: [SN]"]),
            self.maybe(4, &["subscription: any"]),
            // Whom it takes depends on the hour at which somebody else's run is done with them.
            if self.jitter { String::new() } else { self.maybe(4, &["excludeCurrentTargets: true"]) },
        ];
        parts.push(format!("filter: {{{}}}", list(&filter)));
        let limits = [
            self.maybe(3, &["messagesPerDay: 1", "messagesPerDay: 3"]),
            self.maybe(4, &["targets: 3", "targets: 6"]),
            self.maybe(3, &["dailyEnrollments: 1", "dailyEnrollments: 3"]),
        ];
        parts.push(format!("limits: {{{}}}", list(&limits)));
        let day =
            |world: &World, days: usize| (world.now() + TimeDelta::days(i64::try_from(days).unwrap())).date_naive();
        let start = day(&self.world, self.dice.below(8));
        let end = day(&self.world, 10 + self.dice.below(20));
        let blackout = day(&self.world, self.dice.below(6));
        let schedule = [
            self.dice.pick(&["firstAfter: 6h", "firstAfter: 0s", "firstAfter: 30h", "firstAfter: 1h"]).to_owned(),
            self.maybe(3, &["every: 6h", "every: 25h", "every: 48h"]),
            self.maybe(4, &["timezone: Asia/Kolkata", "timezone: America/Santiago"]),
            self.maybe(4, &["zone: recipient"]),
            if self.dice.below(5) == 0 { format!("startAt: {start}T09:30") } else { String::new() },
            if self.dice.below(4) == 0 { format!("endAt: {end}T14:00") } else { String::new() },
            if self.dice.below(4) == 0 { format!("blackouts: [{blackout}]") } else { String::new() },
            self.maybe(
                2,
                &[
                    "windows: [{days: [mon, tue, wed, thu, fri], from: '09:00', to: '18:00'}]",
                    "windows: [{from: '06:00', to: '08:15'}, {from: '17:00', to: '21:00'}]",
                    "windows: [{from: '00:00', to: '24:00'}]",
                    "windows: [{days: [tue, sat], from: '12:00', to: '12:30'}]",
                    "windows: [{from: '02:10', to: '02:50'}]",
                ],
            ),
        ];
        parts.push(format!("schedule: {{{}}}", list(&schedule)));
        list(&parts)
    }

    /// Applies a tree; gives back what was foreseen of it just before.
    pub(crate) async fn apply(&mut self, yaml: &str) -> Vec<Foreseen> {
        self.story.push(format!("at {}\n{yaml}", self.world.now()));
        let sources = Sources::from(vec![SourceFile { path: "tree.yaml".to_owned(), bytes: yaml.as_bytes().to_vec() }]);
        let checked = manifest::check(&sources);
        self.before = self.happened().await;
        let in_force = self.db.store.in_force().await.unwrap();
        let plan = plan(&checked.desired.to_objects(), &in_force.objects, &BTreeMap::new());
        let tree = Tree { desired: &checked.desired, plan: &plan };
        let foreseen =
            self.db.store.forecast(&[&AccountSelector::All], &[tree], &in_force, self.world.now()).await.unwrap();
        let outcome =
            self.world.reconcile(&sources, By::Person { mass_change: true, digest: None }).await.unwrap().outcome;
        assert!(matches!(outcome, Outcome::Applied { .. } | Outcome::InSync), "{yaml}\n{outcome:#?}");
        foreseen
    }

    /// What is foreseen of what is in force.
    async fn foresee(&mut self) -> Vec<Foreseen> {
        self.before = self.happened().await;
        let in_force = self.db.store.in_force().await.unwrap();
        let tree = Tree { desired: &in_force.desired, plan: &Plan::default() };
        self.db.store.forecast(&[&AccountSelector::All], &[tree], &in_force, self.world.now()).await.unwrap()
    }

    /// When each run ended, and how many messages it has sent.
    async fn happened(&self) -> BTreeMap<(String, String), (Option<Timestamp>, i64)> {
        let rows: Vec<(String, String, Option<Timestamp>, i64)> = sqlx::query_as(
            "select a.external_id, c.name, r.finished_at,
                    (select count(*) from message m where m.account_id = r.account_id and m.campaign_id = r.campaign_id)
             from run r join account a on a.id = r.account_id join campaign c on c.id = r.campaign_id
             where c.removed_at is null",
        )
        .fetch_all(&self.db.pool)
        .await
        .unwrap();
        rows.into_iter().map(|(account, name, finish, messages)| ((account, name), (finish, messages))).collect()
    }

    /// Runs on and compares; the differences in days.
    async fn compare(&mut self, foreseen: &[Foreseen]) -> Vec<i64> {
        let end = self.world.now() + TimeDelta::days(DAYS);
        self.world.run_until(end).await.unwrap();
        let happened = self.happened().await;
        let mut apart = Vec::new();
        for account in foreseen {
            for (name, outlook) in &account.trees[0] {
                let run = (account.name.clone(), name.to_string());
                let (finish, messages) = happened[&run];
                let messages = messages - self.before.get(&run).map_or(0, |(_, messages)| *messages);
                let differences = self.differences(account, outlook, finish, messages, end);
                match differences {
                    Ok(days) => apart.push(days),
                    Err(difference) => panic!("{}", self.told(account, &difference).await),
                }
            }
        }
        apart
    }

    /// Everything that helps to see why.
    async fn told(&self, account: &Foreseen, difference: &str) -> String {
        let messages: Vec<String> = sqlx::query_scalar(
            "select concat_ws(' ', m.queued_at, c.name, r.external_id, 'day', m.day, 'due', m.due_at)
             from message m join referral r on (r.account_id, r.id) = (m.account_id, m.referral_id)
             join campaign c on c.id = m.campaign_id join account a on a.id = m.account_id
             where a.external_id = $1 order by m.queued_at",
        )
        .bind(&account.name)
        .fetch_all(&self.db.pool)
        .await
        .unwrap();
        let targets: Vec<String> = sqlx::query_scalar(
            "select concat_ws(' ', c.name, r.external_id, 'enrolled', t.enrolled_at, t.state, t.exit_reason, 'day', t.day, t.ended_at)
             from target t join referral r on (r.account_id, r.id) = (t.account_id, t.referral_id)
             join campaign c on c.id = t.campaign_id join account a on a.id = t.account_id
             where a.external_id = $1 order by 1",
        )
        .bind(&account.name)
        .fetch_all(&self.db.pool)
        .await
        .unwrap();
        let outlooks: Vec<String> =
            account.trees[0].iter().map(|(name, outlook)| format!("{name} {outlook:?}")).collect();
        format!(
            "seed {}: {}: {difference}\n{}\n\nforeseen\n{}\n\nsent\n{}\n\n{}",
            self.seed,
            account.name,
            self.story.join("\n"),
            outlooks.join("\n"),
            messages.join("\n"),
            targets.join("\n"),
        )
    }

    fn differences(
        &self,
        account: &Foreseen,
        outlook: &Outlook,
        finish: Option<Timestamp>,
        messages: i64,
        end: Timestamp,
    ) -> Result<i64, String> {
        let foreseen = outlook.finish.at().filter(|at| *at <= end);
        let days = match (foreseen, finish) {
            (None, None) => 0,
            (Some(foreseen), Some(finish)) => (account.zone.date(foreseen) - account.zone.date(finish)).num_days(),
            (foreseen, finish) => return Err(format!("ends {finish:?}, not {foreseen:?} ({:?})", outlook.finish)),
        };
        // Where campaigns share people, or the pace is random, the last message may just miss a window, and the next may
        // open after a weekend.
        let alone = !self.jitter && account.trees[0].len() == 1;
        if days.abs() > if alone { 1 } else { 5 } {
            return Err(format!("ends at {finish:?}, not {foreseen:?}"));
        }
        let last = account.zone.date(end);
        let counted: i64 = outlook.messages.iter().filter(|(day, _)| **day <= last).map(|(_, n)| i64::from(*n)).sum();
        // Where an end cuts a run short, who of two that are due at one instant goes first decides on a message or two.
        let far = (counted - messages).abs() * 20 > messages.max(20);
        if far && matches!(outlook.finish, Finish::At(at) if at <= end) {
            return Err(format!("{messages} messages, not {counted}: {outlook:?}"));
        }
        Ok(days)
    }
}

fn list(parts: &[String]) -> String {
    parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(", ")
}

/// Forecasts a new tree, lets it run for a while, then forecasts what is under way, or an edit of it.
async fn foresee(seeds: impl Iterator<Item = u64>) {
    let mut db = database().await;
    let mut apart: BTreeMap<i64, usize> = BTreeMap::new();
    for seed in seeds {
        let mut case = Case::begin(seed, db).await;
        let yaml = case.tree();
        if seed % 4 == 0 {
            case.order().await;
        }
        let mut foreseen = case.apply(&yaml).await;
        let hours = case.dice.below(200);
        if hours > 60 {
            case.world.run_until(case.world.now() + TimeDelta::hours(i64::try_from(hours).unwrap())).await.unwrap();
            case.order().await;
            foreseen = if hours > 120 {
                let yaml = case.tree();
                case.apply(&yaml).await
            } else {
                case.story.push(format!("looked at {}", case.world.now()));
                case.foresee().await
            };
        }
        for days in case.compare(&foreseen).await {
            *apart.entry(days).or_default() += 1;
        }
        db = case.db;
    }
    let within = |days: i64| apart.range(-days..=days).map(|(_, runs)| runs).sum::<usize>();
    let all = within(i64::MAX);
    let exact = within(0) * 20 >= all * 19 && within(1) * 100 >= all * 97;
    assert!(exact, "by how many days the ends of {all} runs were missed: {apart:?}");
}

/// CI looks at many more than anybody who waits for an answer.
#[expect(clippy::disallowed_methods, reason = "how long to look is the business of whoever runs the tests")]
fn seeds() -> u64 {
    if std::env::var_os("CI").is_some() { 150 } else { 60 }
}

#[tokio::test]
async fn runs_end_on_the_forecast_day() {
    foresee(0..seeds()).await;
}
