//! `send-test`: a day on a phone of one's own, by the real way, that counts nowhere.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use relance::channel::fake_graph::{ApiError, Behaviour, Clock, FakeGraph, Fault, Order};
use relance::core::domain::{Callback, MessageKey, Phone};
use relance::store::{Receipt, ReceiptStatus, Speed};

use crate::support::daemon::{folder, relancectl};
use crate::support::facts::Person;
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::World;

const MINE: &str = "+237671000077";

fn manifests(url: &str) -> String {
    let days = tree(2, NO_PACE, &[("c", ALWAYS)]).replace(
        "{day: 2, text: {fr: 'Jour 2. {{ optOutHint }}'}}",
        "{day: 2, text: {fr: 'Jour 2, {{ name }}'}, whatsappTemplate: {name: day_2, language: fr,
         parameters: ['{{ name }}', '{{ referrerName }}', '{{ attributes.city }}']}}",
    );
    format!(
        "{days}---
apiVersion: relance/v1
kind: Channel
metadata: {{name: wa}}
spec: {{type: whatsapp-cloud, baseUrl: '{url}', accessToken: {{fromFile: token}}}}
---
apiVersion: relance/v1
kind: Account
metadata: {{name: a1}}
spec: {{accounts: {{names: [a1]}}, channelRef: wa, sender: '901'}}
---
apiVersion: relance/v1
kind: Account
metadata: {{name: a2}}
spec: {{accounts: {{names: [a2]}}, channelRef: wa, sender: '902'}}
"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_message_uses_the_real_channel_and_is_never_counted() {
    let mut world = World::at("2026-11-30T08:00:00Z").await;
    for account in ["a1", "a2"] {
        world.account(account).await;
    }
    world.person(Person { account: "a2", ..Person::new("r1", "+237671000001") }).await;
    world.sql("update referral set name = 'Awa', attributes = '{\"city\": \"Douala\"}'").await;
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let fake_graph = FakeGraph::start(anywhere, Clock::new(world.now, 1.0), Behaviour::default()).await.unwrap();
    let dir = folder();
    fs::create_dir(dir.path().join("campaigns")).unwrap();
    let yaml = manifests(&fake_graph.url());
    fs::write(dir.path().join("campaigns/tree.yaml"), &yaml).unwrap();
    fs::write(dir.path().join("token"), "a token").unwrap();
    world.apply(&yaml).await;
    let counters = "select concat_ws(' ', (select count(*) from target), (select count(*) from message),
                                     (select count(*) from lease), (select coalesce(sum(taken), 0) from lane),
                                     (select count(*) from conversation), (select count(*) from provider_message))";
    let before: String = world.one(counters).await;

    let mut told = String::new();
    let mut send = |args: &[&str]| {
        let all = [&["send-test", "c", "--actor", "maria"], args].concat();
        let output = relancectl(dir.path(), Some(&world.url()), &all).output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        told += &format!("$ send-test {}\n{said}", args.join(" "));
        told += &output
            .status
            .code()
            .filter(|code| *code != 0)
            .map(|code| format!("(exit code {code})\n"))
            .unwrap_or_default();
    };
    send(&["--day", "2", "--to", MINE, "--account", "a1"]);
    send(&["--day", "2", "--to", "671 00 00 77", "--country", "CM", "--referral", "r1"]);
    // There is nothing approved to send.
    send(&["--day", "1", "--to", MINE, "--account", "a1"]);
    fake_graph
        .order(Order::FailNext { calls: 1, fault: Fault::Error(ApiError::new(131_026, "Message undeliverable")) });
    send(&["--day", "2", "--to", MINE, "--account", "a1"]);
    fake_graph.order(Order::FailNext { calls: 1, fault: Fault::CutAfter });
    send(&["--day", "2", "--to", MINE, "--account", "a1"]);
    let ledger = fake_graph.ledger();
    world.sql("insert into suppression values ('+237671000077', 'reply', '2026-11-30Z')").await;
    send(&["--day", "2", "--to", MINE, "--account", "a1"]);
    world.sql("delete from suppression").await;
    world.store().forget(&Phone::trusted(MINE.to_owned()), "a letter", world.now).await.unwrap();
    send(&["--day", "2", "--to", MINE, "--account", "a1"]);
    send(&["--day", "3", "--to", "+237671000078", "--account", "a1"]);
    send(&["--day", "2", "--to", "+237671000078", "--account", "a3"]);
    // By a clock that was set nothing leaves this machine.
    fs::write(dir.path().join("campaigns/tree.yaml"), yaml.replace(&fake_graph.url(), "https://graph.invalid"))
        .unwrap();
    send(&["--day", "2", "--to", "+237671000078", "--account", "a1"]);
    assert_eq!(fake_graph.ledger().len(), ledger.len(), "who wants nothing got something");
    let log = relancectl(dir.path(), Some(&world.url()), &["log", "--account", "a1"]).output().unwrap();
    told += &format!(
        "$ log --account a1\n{}{}",
        String::from_utf8(log.stdout).unwrap(),
        String::from_utf8(log.stderr).unwrap()
    );
    insta::assert_snapshot!(told);

    let to: Vec<_> = ledger.iter().map(|one| (one.number.as_str(), one.to.as_str())).collect();
    assert_eq!(to, [("901", MINE), ("902", MINE), ("901", MINE)]);
    let values = |place: usize| ledger[place].body["template"]["components"][0]["parameters"].to_string();
    assert!(values(0).contains("Alex Sample") && values(0).contains("Aminata"), "{}", values(0));
    assert!(values(1).contains("Awa") && values(1).contains("Douala"), "{}", values(1));
    // Nobody takes it for a message to anybody, the provider's receipts neither.
    let ours = world.store().installation_id().await.unwrap();
    let key = |told: &str| told.parse::<Callback>().unwrap().of(&ours).unwrap();
    let keys: Vec<MessageKey> = ledger.iter().map(|one| key(&one.key)).collect();
    assert!(keys.iter().all(|key| key.target.referral.0 < 0 && key.target.campaign.0 == 0), "{keys:?}");
    let receipts: Vec<Receipt> =
        keys.iter().map(|key| Receipt::new(*key, ReceiptStatus::Delivered, world.now)).collect();
    assert_eq!(world.store().receipts(&receipts, world.now).await.unwrap(), 0);
    assert_eq!(world.one::<String>(counters).await, before);
    assert_eq!(world.count("suppression").await, 0);
}
