//! What went wrong in other systems (SPEC §10), once more where messages really leave: by flights and the WhatsApp channel,
//! against the ledger of a stand-in for its API.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use chrono::TimeDelta;
use relance::channel::fake_graph::{ApiError, Behaviour, Clock, FakeGraph, Fault, Order};
use relance::channel::whatsapp::{WhatsappCloud, reaction};
use relance::channel::{Channel, Channels, Open, Refusal};
use relance::core::dispatch::program::Program;
use relance::core::domain::{Callback, MessageKey};
use relance::core::manifest::desired::Channel as Spec;
use relance::daemon::{BATCH, Dispatcher, Watermark, maintenance};
use relance::facts::{Source, import};
use relance::store::{Age, Batch, Receipt, ReceiptStatus, Speed};
use tempfile::TempDir;

use crate::support::daemon::folder;
use crate::support::facts::Person;
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::World;
use crate::whatsapp::CODES;

const MONDAY: &str = "2026-11-30T08:00:00Z";
const REAL: Speed = Speed(1.0);

/// A world whose messages leave.
struct Way {
    world: World,
    fake_graph: FakeGraph,
    flight: Dispatcher,
    seen: Watermark,
    dir: TempDir,
}

fn phone(account: usize, person: usize) -> String {
    format!("+2376{account:03}{person:05}")
}

/// The days of a campaign with a template each, and a channel to each of `urls`: `wa0`, `wa1`…
fn manifests(days: u16, defaults: &str, campaigns: &[(&str, &str)], urls: &[String], dir: &TempDir) -> String {
    let mut yaml = tree(days, &format!("{NO_PACE}, channelRef: wa0{defaults}"), campaigns);
    for day in 1..=days {
        let text = format!("text: {{fr: 'Jour {day}. {{{{ optOutHint }}}}'}}");
        yaml = yaml.replace(&text, &format!("{text}, whatsappTemplate: {{name: day_{day}, language: fr}}"));
    }
    let token = dir.path().join("token");
    fs::write(&token, "a token").unwrap();
    for (place, url) in urls.iter().enumerate() {
        yaml += &format!(
            "---\napiVersion: relance/v1\nkind: Channel\nmetadata: {{name: wa{place}}}\n\
             spec: {{type: whatsapp-cloud, phoneNumberId: '901', baseUrl: '{url}', accessToken: {{fromFile: {}}}}}\n",
            token.display()
        );
    }
    yaml
}

async fn fake_graph() -> FakeGraph {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    FakeGraph::start(anywhere, Clock::new(MONDAY.parse().unwrap(), 1.0), Behaviour::default()).await.unwrap()
}

impl Way {
    /// Accounts with so many people each.
    async fn new(accounts: usize, people: usize) -> Self {
        let world = World::at(MONDAY).await;
        for account in 1..=accounts {
            let name = format!("a{account}");
            world.account(&name).await;
            for person in 0..people {
                let (id, phone) = (format!("{name}-{person}"), phone(account, person));
                world.person(Person { account: &name, ..Person::new(&id, &phone) }).await;
            }
        }
        let flight = Dispatcher::new(world.store().clone());
        Self { world, fake_graph: fake_graph().await, flight, seen: Watermark::default(), dir: folder() }
    }

    /// Has one campaign of so many days in force, and everybody in it; an hour later all of them are due.
    async fn apply(&mut self, days: u16, defaults: &str, campaign: &str) {
        let spec = format!("{ALWAYS}{campaign}");
        let yaml = manifests(days, defaults, &[("c", &spec)], &[self.fake_graph.url()], &self.dir);
        self.world.apply(&yaml).await;
        let (program, _) = self.in_force().await;
        while !maintenance(self.world.store(), &program, &mut self.seen, self.world.now).await.unwrap().is_nothing() {}
        self.world.now += TimeDelta::hours(1);
    }

    async fn in_force(&mut self) -> (Arc<Program>, Arc<Channels>) {
        let (program, _) = self.world.program().await;
        let store = self.world.store().clone();
        let installation = store.installation_id().await.unwrap();
        let specs = store.in_force().await.unwrap().desired.channels;
        let open: Open = Arc::new(move |spec| -> Arc<dyn Channel> {
            let spec = match spec {
                Some(Spec::WhatsappCloud(spec)) => (**spec).clone(),
                Some(_) => panic!("another channel"),
                // Nobody sends by it.
                None => serde_json::from_value(serde_json::json!({
                    "accessToken": {"fromEnv": "NOBODY"}, "baseUrl": "http://127.0.0.1:9", "apiVersion": "v26.0",
                    "timeout": "10s", "connectTimeout": "5s", "concurrency": 1}))
                .unwrap(),
            };
            Arc::new(WhatsappCloud::new(spec).for_installation(installation.clone()))
        });
        (program, Arc::new(Channels::open(&specs, &open)))
    }

    /// Does all that is due now, as a daemon does.
    async fn work(&mut self) {
        let (program, channels) = self.in_force().await;
        loop {
            let now = self.world.now;
            let kept = maintenance(self.world.store(), &program, &mut self.seen, now).await.unwrap();
            let sent = self.flight.send(&program, &channels, BATCH, (now, REAL)).await.unwrap();
            self.flight.drain().await;
            if kept.is_nothing() && sent.lanes == 0 {
                return;
            }
        }
    }

    async fn pass(&mut self, time: TimeDelta) {
        self.world.now += time;
        self.work().await;
    }

    fn fail(&self, phone: &str, code: i64) {
        self.fake_graph
            .order(Order::FailFor { phone: phone.to_owned(), fault: Fault::Error(ApiError::new(code, "said so")) });
    }

    /// What was accepted, each with how often.
    fn accepted(&self) -> BTreeMap<MessageKey, usize> {
        accepted(&self.fake_graph)
    }
}

fn accepted(fake_graph: &FakeGraph) -> BTreeMap<MessageKey, usize> {
    let mut accepted = BTreeMap::new();
    for one in fake_graph.ledger() {
        *accepted.entry(one.key.parse::<Callback>().unwrap().key).or_default() += 1;
    }
    accepted
}

/// The run's and the lane's counters are those of the messages that count.
async fn counters_are_exact(world: &World) {
    let of = |table: &str, on: &str| {
        format!(
            "select count(*) from {table} t where taken <> (select count(*) from message m
             where {on} and m.quota_date = t.taken_on)"
        )
    };
    assert_eq!(world.one::<i64>(&of("lane", "m.account_id = t.account_id")).await, 0);
    let of_run = of("run", "(m.account_id, m.campaign_id) = (t.account_id, t.campaign_id)");
    assert_eq!(world.one::<i64>(&of_run).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accident_01_a_lost_provider_answer_never_causes_a_second_message() {
    let mut way = Way::new(1, 3).await;
    way.apply(2, "", "").await;
    way.fake_graph.order(Order::FailNext { calls: 3, fault: Fault::CutAfter });
    way.work().await;
    for _ in 0..48 {
        way.pass(TimeDelta::minutes(15)).await;
    }
    assert_eq!(way.accepted().into_values().collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(way.world.column("select distinct state from message").await, ["uncertain"]);
    way.pass(TimeDelta::days(1)).await;
    assert_eq!(way.accepted().into_values().collect::<Vec<_>>(), [1; 6]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accident_02_a_numeric_phone_is_sent_as_a_string_every_day() {
    let mut way = Way::new(1, 0).await;
    let file = "id,account_id,name,phone,country,registered_at,consent\n\
                r1,a1,Paul,671000001,CM,2026-11-20T10:00:00Z,opted_in\n";
    let age = Age { as_of: way.world.now, now: way.world.now };
    let source = Source::stream("test", Cursor::new(file.as_bytes().to_vec()));
    let report = import::referrals(way.world.store(), source, age).await.unwrap();
    assert_eq!(report.inserted, 1);
    way.apply(2, "", "").await;
    way.work().await;
    way.pass(TimeDelta::hours(25)).await;
    let to: Vec<_> = way.fake_graph.ledger().into_iter().map(|one| one.body["to"].clone()).collect();
    assert_eq!(to, [serde_json::json!("+237671000001"), serde_json::json!("+237671000001")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn accident_03_and_04_racing_dispatchers_never_exceed_a_daily_cap() {
    let (accounts, people) = (4, 9);
    let mut way = Way::new(accounts, people).await;
    way.apply(1, ", limits: {messagesPerDay: 2}", "").await;
    // Those who registered last go first; two of them cannot be reached, and give back what they took.
    for account in 1..=accounts {
        for person in [3, 7] {
            way.fail(&phone(account, person), 131_026);
        }
    }
    let (program, channels) = way.in_force().await;
    maintenance(way.world.store(), &program, &mut way.seen, way.world.now).await.unwrap();
    for day in 1..=4 {
        let now = way.world.now;
        let racing = (0..4).map(|_| {
            let (program, channels, store) = (Arc::clone(&program), Arc::clone(&channels), way.world.store().clone());
            tokio::spawn(async move {
                let flight = Dispatcher::new(store);
                while flight.send(&program, &channels, BATCH, (now, REAL)).await.unwrap().lanes > 0 {
                    flight.drain().await;
                }
                flight.drain().await;
            })
        });
        for one in racing.collect::<Vec<_>>() {
            one.await.unwrap();
        }
        way.pass(TimeDelta::minutes(1)).await;
        let most = accounts * (2 * day).min(people - 2);
        assert_eq!(way.accepted().len(), most, "day {day}");
        counters_are_exact(&way.world).await;
        way.world.now += TimeDelta::days(1);
    }
    assert!(way.accepted().into_values().all(|times| times == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accident_05_a_retry_waits_out_a_pause_and_then_resumes() {
    let mut way = Way::new(1, 2).await;
    way.apply(2, "", "").await;
    // Of two, one gets day 1; the other is tried again later.
    way.fake_graph.order(Order::FailNext { calls: 1, fault: Fault::Error(ApiError::new(131_000, "busy")) });
    way.work().await;
    let messages = "select concat_ws(' ', 'day', day, state, 'attempt', attempts) from message order by 1";
    assert_eq!(way.world.column(messages).await, ["day 1 queued attempt 1", "day 1 sent attempt 1"]);
    way.apply(2, "", ", state: paused").await;
    way.pass(TimeDelta::days(2)).await;
    assert_eq!(way.accepted().len(), 1);
    way.apply(2, "", "").await;
    way.work().await;
    // Neither begins anew.
    let after = ["day 1 sent attempt 1", "day 1 sent attempt 2", "day 2 sent attempt 1"];
    assert_eq!(way.world.column(messages).await, after);
    assert_eq!(way.accepted().into_values().collect::<Vec<_>>(), [1; 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accident_06_a_payment_cancels_a_message_that_waits_for_a_retry() {
    let mut way = Way::new(1, 1).await;
    way.apply(2, "", "").await;
    way.fake_graph.order(Order::FailNext { calls: 1, fault: Fault::Error(ApiError::new(131_000, "busy")) });
    way.work().await;
    assert_eq!(way.world.messages().await, ["a1-0 c day 1 queued attempt 1"]);
    way.world.sql("update referral set paid_at = '2026-11-30T08:01:00Z'").await;
    way.pass(TimeDelta::days(3)).await;
    assert_eq!(way.accepted(), BTreeMap::new());
    assert_eq!(way.world.targets().await, ["a1-0 c exited paid day 1"]);
    assert_eq!(way.world.messages().await, ["a1-0 c day 1 failed attempt 1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accident_07_a_late_failure_receipt_never_restarts_a_sequence() {
    let mut way = Way::new(1, 1).await;
    way.apply(2, "", ", enrollment: continuous").await;
    way.work().await;
    way.pass(TimeDelta::hours(25)).await;
    assert_eq!(way.world.targets().await, ["a1-0 c completed day 2"]);
    // Both failed after all, says the provider, and the campaign is another.
    let keys: Vec<MessageKey> = way.accepted().into_keys().collect();
    let failed = |key: &MessageKey| {
        let refusal = Refusal { error: "131000".to_owned(), reaction: reaction(131_000, 1) };
        Receipt::new(*key, ReceiptStatus::Failed(refusal), way.world.now)
    };
    let receipts: Vec<Receipt> = keys.iter().map(failed).collect();
    assert_eq!(way.world.store().receipts(&receipts, way.world.now).await.unwrap(), 2);
    way.apply(2, "", ", enrollment: continuous, priority: 7").await;
    way.world.facts_changed().await;
    for _ in 0..9 {
        way.pass(TimeDelta::days(1)).await;
    }
    assert_eq!(way.accepted().into_values().collect::<Vec<_>>(), [1, 1]);
    assert_eq!(way.world.targets().await, ["a1-0 c completed day 2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn accident_12_overlapping_dispatchers_send_each_message_once() {
    let mut way = Way::new(3, 20).await;
    way.apply(1, "", "").await;
    let (program, channels) = way.in_force().await;
    let now = way.world.now;
    let racing = (0..4).map(|_| {
        let (program, channels, store) = (Arc::clone(&program), Arc::clone(&channels), way.world.store().clone());
        tokio::spawn(async move {
            let (flight, mut seen) = (Dispatcher::new(store.clone()), Watermark::default());
            for _ in 0..6 {
                maintenance(&store, &program, &mut seen, now).await.unwrap();
                flight.send(&program, &channels, BATCH, (now, REAL)).await.unwrap();
            }
            flight.drain().await;
        })
    });
    for one in racing.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    way.work().await;
    assert_eq!(way.accepted().into_values().collect::<Vec<_>>(), [1; 60]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accident_13_a_run_stays_active_while_a_message_is_in_flight() {
    let mut way = Way::new(1, 2).await;
    way.apply(1, "", "").await;
    way.fake_graph.order(Order::Behave(Behaviour { latency_ms: [1_000, 1_000], ..Behaviour::default() }));
    let (program, channels) = way.in_force().await;
    let now = way.world.now;
    maintenance(way.world.store(), &program, &mut way.seen, now).await.unwrap();
    assert_eq!(way.flight.send(&program, &channels, BATCH, (now, REAL)).await.unwrap().messages, 2);
    // Whoever looks now finds nobody due and nobody to take.
    for _ in 0..3 {
        way.world.sql("update run set check_at = '2026-11-30Z', enroll_at = '2026-11-30Z'").await;
        maintenance(way.world.store(), &program, &mut way.seen, now).await.unwrap();
    }
    let early = "select exists (select from run where phase = 'completed') and exists (select from message where state = 'sending')";
    assert!(!way.world.one::<bool>(early).await);
    way.flight.drain().await;
    way.pass(TimeDelta::minutes(1)).await;
    assert_eq!(way.world.runs().await, ["c a1 completed drained"]);
    assert_eq!(way.accepted().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accident_14_an_import_never_lifts_an_opt_out_from_the_provider() {
    let mut way = Way::new(1, 1).await;
    way.apply(3, "", ", enrollment: continuous").await;
    way.fake_graph.order(Order::FailNext { calls: 1, fault: Fault::Error(ApiError::new(131_050, "no more")) });
    way.work().await;
    assert_eq!(way.world.targets().await, ["a1-0 c exited opted-out day 2"]);
    way.world.now += TimeDelta::hours(1);
    let file = format!(
        "id,account_id,name,phone,country,registered_at,consent\n\
         a1-0,a1,Paul,{0},CM,2026-11-20T10:00:00Z,opted_in\na1-9,a1,Paul,{0},CM,2026-11-29T10:00:00Z,opted_in\n",
        phone(1, 0)
    );
    let age = Age { as_of: way.world.now, now: way.world.now };
    let source = Source::stream("test", Cursor::new(file.into_bytes()));
    import::referrals(way.world.store(), source, age).await.unwrap();
    way.pass(TimeDelta::days(2)).await;
    assert_eq!(way.accepted(), BTreeMap::new());
    assert_eq!(way.world.column("select phone || ' ' || source from suppression").await, [phone(1, 0) + " channel"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accident_15_only_two_provider_codes_opt_people_out() {
    let mut way = Way::new(CODES.len() + 1, 1).await;
    way.apply(1, "", "").await;
    let codes = || CODES.into_iter().chain([999_999]).zip(1..);
    for (code, account) in codes() {
        way.fail(&phone(account, 0), code);
    }
    let (program, channels) = way.in_force().await;
    maintenance(way.world.store(), &program, &mut way.seen, way.world.now).await.unwrap();
    // All at once: many of these codes stop whatever comes after them.
    let one_each = Batch { people: 1, ..BATCH };
    let sent = way.flight.send(&program, &channels, one_each, (way.world.now, REAL)).await.unwrap();
    assert_eq!(sent.messages, CODES.len() + 1);
    way.flight.drain().await;
    let opted_out = |code: i64| matches!(code, 131_050 | 130_403);
    let expected: Vec<String> =
        codes().filter(|(code, _)| opted_out(*code)).map(|(_, account)| phone(account, 0)).collect();
    assert_eq!(way.world.column("select phone from suppression order by 1").await, expected);
    let exited = "select r.phone from target t join referral r on r.id = t.referral_id where exit_reason = 'opted-out' order by 1";
    assert_eq!(way.world.column(exited).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accident_18_a_message_never_leaves_on_another_channel() {
    let mut way = Way::new(2, 5).await;
    let other = fake_graph().await;
    let own = |channel: &str| format!("{ALWAYS}, channelRef: {channel}");
    let campaigns = [("by-wa0", own("wa0")), ("by-wa1", own("wa1")), ("by-accounts", ALWAYS.to_owned())];
    let campaigns: Vec<(&str, &str)> = campaigns.iter().map(|(name, spec)| (*name, spec.as_str())).collect();
    let urls = [way.fake_graph.url(), other.url()];
    let account = "---\napiVersion: relance/v1\nkind: Account\nmetadata: {name: a2}\n\
                   spec: {accounts: {names: [a2]}, channelRef: wa1}\n";
    way.world.apply(&(manifests(2, "", &campaigns, &urls, &way.dir) + account)).await;
    // One of them is away for a while: nothing of it looks for another way out.
    other.order(Order::FailNext { calls: 7, fault: Fault::CutBefore });
    for _ in 0..12 {
        way.pass(TimeDelta::hours(13)).await;
    }
    let mut found = BTreeMap::new();
    for (place, fake_graph) in [&way.fake_graph, &other].into_iter().enumerate() {
        for key in accepted(fake_graph).into_keys() {
            *found.entry((key.target.campaign.0, key.target.account.0, place)).or_insert(0) += 1;
        }
    }
    let id: BTreeMap<String, i32> = sqlx::query_as("select name, id from campaign")
        .fetch_all(way.world.pool())
        .await
        .unwrap()
        .into_iter()
        .collect();
    let (wa0, wa1, by_accounts) = (id["by-wa0"], id["by-wa1"], id["by-accounts"]);
    let ways: Vec<_> = found.keys().copied().collect();
    let mut expected = [(wa0, 1, 0), (wa0, 2, 0), (wa1, 1, 1), (wa1, 2, 1), (by_accounts, 1, 0), (by_accounts, 2, 1)];
    expected.sort_unstable();
    assert_eq!(ways, expected);
    assert!(found[&(wa0, 1, 0)] == 10 && found[&(by_accounts, 1, 0)] == 10, "{found:?}");
}
