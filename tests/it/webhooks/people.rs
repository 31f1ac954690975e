//! What people write: STOP and START at once, whoever they are and however often it is told.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use relance::channel::fake_graph::{Behaviour, Clock, FakeGraph, Order};
use relance::channel::whatsapp::WhatsappCloud;
use relance::channel::{Channels, Open};
use relance::core::domain::{AccountId, Phone};
use relance::core::lifecycle::outcome::Reaction;
use relance::core::manifest::desired::Channel as Spec;
use relance::daemon::{Sandbox, confirm};
use serde_json::{Value, json};

use crate::support::daemon::folder;
use crate::support::facts::Person;
use crate::support::house::{House, MONDAY, account, channel, seconds};
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::{Fault, World};

pub(super) const PAUL: &str = "+237671000001";
/// As WhatsApp goes on writing numbers of Brazil that have nine digits by now.
pub(super) const BIA: (&str, &str) = ("+5511987654321", "551187654321");

/// Two accounts with a number each, one person of both, and one of the first whose number is written otherwise; all of them
/// were written to.
pub(super) async fn house() -> House {
    let mut world = World::at(MONDAY).await;
    let dir = folder();
    for name in ["a1", "a2"] {
        world.account(name).await;
    }
    world.person(Person::new("r1", PAUL)).await;
    world.person(Person::new("r2", BIA.0)).await;
    world.person(Person { account: "a2", ..Person::new("r3", PAUL) }).await;
    let accounts = account("a1", "901") + &account("a2", "902");
    world.apply(&(tree(3, NO_PACE, &[("c", ALWAYS)]) + &channel(&dir) + &accounts)).await;
    world.run_for(TimeDelta::hours(1)).await;
    assert_eq!(world.channel.delivered().len(), 3);
    House::open(world, dir).await
}

/// A message to the number of the first account.
pub(super) fn said(id: &str, from: &str, text: &str, at: &str) -> Value {
    let message = json!({"id": id, "from": from, "timestamp": seconds(at), "type": "text", "text": {"body": text}});
    json!({"metadata": {"phone_number_id": "901"}, "messages": [message]})
}

pub(super) async fn suppressed(house: &House) -> Vec<String> {
    house.world.column("select phone from suppression order by 1").await
}

/// The provider says what it calls the message of day 1 to a referral, and the person.
pub(super) async fn call(house: &mut House, account: i32, referral: i64, id: &str, recipient: &str) {
    let name = format!("select provider_id from message where referral_id = {referral}");
    let ours = house.world.one::<String>(&name).await;
    house.world.sql(&format!("update message set provider_id = '{id}' where provider_id = '{ours}'")).await;
    let status = json!({"id": id, "status": "sent", "recipient_id": recipient,
                        "biz_opaque_callback_data": format!("relance.{account}.1.{referral}.1")});
    house.tell("messages", &json!({"statuses": [status]})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_stop_suppresses_at_once_and_a_start_lifts_it() {
    let mut house = house().await;
    let stop = said("in.1", "237671000001", "Arrêtez !", "2026-11-30T08:59:00Z");
    house.tell("messages", &stop).await;
    assert_eq!(suppressed(&house).await, [PAUL]);
    let exited = ["r1 c exited opted-out day 2", "r2 c active day 2", "r3 c exited opted-out day 2"];
    assert_eq!(house.world.targets().await, exited);
    house.at("2026-11-30T09:10:00Z").await;
    house.tell("messages", &said("in.2", "237671000001", "START", "2026-11-30T09:05:00Z")).await;
    assert!(suppressed(&house).await.is_empty());
    // The provider repeats the first for days.
    for _ in 0..2 {
        house.tell("messages", &stop).await;
    }
    assert!(suppressed(&house).await.is_empty());
    assert_eq!(house.world.targets().await, exited);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_stop_or_start_wins_in_any_order_of_arrival() {
    let mut house = house().await;
    house.at("2026-11-30T10:00:00Z").await;
    house.tell("messages", &said("in.2", "237671000001", "START", "2026-11-30T09:05:00Z")).await;
    house.tell("messages", &said("in.1", "237671000001", "STOP", "2026-11-30T09:00:00Z")).await;
    // It was said, so they left; but it is over.
    assert!(suppressed(&house).await.is_empty());
    assert_eq!(house.world.targets().await[0], "r1 c exited opted-out day 2");
    house.tell("messages", &said("in.4", "237671000001", "STOP", "2026-11-30T09:20:00Z")).await;
    house.tell("messages", &said("in.3", "237671000001", "START", "2026-11-30T09:10:00Z")).await;
    assert_eq!(suppressed(&house).await, [PAUL]);
    // In the same second STOP is meant.
    house.tell("messages", &said("in.5", "237671000001", "START", "2026-11-30T09:20:00Z")).await;
    assert_eq!(suppressed(&house).await, [PAUL]);
    house.tell("messages", &said("in.6", "237671000001", "START", "2026-11-30T09:21:00Z")).await;
    assert!(suppressed(&house).await.is_empty());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_provider_opt_out_switch_acts_like_stop_and_start() {
    let mut house = house().await;
    let turned = |value: &str, at: &str| {
        json!({"user_preferences": [{"wa_id": "237671000001", "category": "marketing_messages", "value": value,
                                     "timestamp": at.parse::<relance::core::domain::Timestamp>().unwrap().timestamp()}]})
    };
    house.tell("user_preferences", &turned("stop", "2026-11-30T08:58:00Z")).await;
    assert_eq!(suppressed(&house).await, [PAUL]);
    house.tell("user_preferences", &turned("resume", "2026-11-30T08:59:00Z")).await;
    assert!(suppressed(&house).await.is_empty());
    house.tell("user_preferences", &turned("stop", "2026-11-30T08:58:00Z")).await;
    assert!(suppressed(&house).await.is_empty());
    // Turning a switch is no message that may be answered.
    assert_eq!(house.world.count("conversation").await, 0);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_provider_switch_lifts_only_its_own_suppression() {
    let mut house = house().await;
    house.at("2026-11-30T10:00:00Z").await;
    let resume = |at: &str| {
        json!({"user_preferences": [{"wa_id": "237671000001", "category": "marketing_messages", "value": "resume",
                                     "timestamp": seconds(at).parse::<i64>().unwrap()}]})
    };
    let name = house.world.one::<String>("select provider_id from message where referral_id = 1").await;
    let refused = |code: i64| {
        let errors = json!([{"code": code, "title": "no more"}]);
        json!({"statuses": [{"id": name, "status": "failed", "biz_opaque_callback_data": "relance.1.1.1.1", "errors": errors}]})
    };
    house.tell("messages", &refused(131_050)).await;
    let whose = "select source || ' ' || coalesce(reason, '') from suppression";
    assert_eq!(house.world.column(whose).await, ["channel 131050: no more"]);
    // A word that is typed turns no switch.
    house.tell("messages", &said("in.1", "237671000001", "START", "2026-11-30T09:05:00Z")).await;
    assert_eq!(suppressed(&house).await, [PAUL]);
    house.tell("user_preferences", &resume("2026-11-30T09:10:00Z")).await;
    assert!(suppressed(&house).await.is_empty());
    // Whom we blocked ourselves, and whom an operator listed, stay so.
    for word in ["'channel', null, '130403: blocked'", "'operator', 'maria', '131050: they called'"] {
        let listed = format!(
            "insert into suppression (phone, source, actor, reason, suppressed_at) values ('{PAUL}', {word}, '2026-11-30Z')"
        );
        house.world.sql(&listed).await;
        let minute = house.world.one::<i64>("select 20 + count(*) from inbound").await;
        house.tell("user_preferences", &resume(&format!("2026-11-30T09:{minute}:00Z"))).await;
        assert_eq!(suppressed(&house).await, [PAUL], "{word}");
        house.world.sql("delete from suppression").await;
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_without_a_phone_is_matched_by_the_answered_message() {
    let mut house = house().await;
    let answer = |id: &str, context: Option<&str>, text: &str| {
        let mut message = json!({"id": id, "from_user_id": "CM.42", "type": "button", "timestamp": seconds(MONDAY),
                                 "button": {"payload": text, "text": "Non merci"}});
        if let Some(context) = context {
            message["context"] = json!({"from": "901", "id": context});
        }
        json!({"contacts": [{"profile": {"username": "@paul"}, "user_id": "CM.42"}], "messages": [message]})
    };
    // Nobody said yet what the provider calls the message that is answered: that may come.
    house.tell("messages", &answer("in.1", Some("wamid.1"), "STOP")).await;
    assert!(suppressed(&house).await.is_empty());
    call(&mut house, 1, 1, "wamid.1", "237671000001").await;
    assert!(suppressed(&house).await.is_empty());
    house.at("2026-11-30T09:00:05Z").await;
    house.receive().await;
    assert_eq!(suppressed(&house).await, [PAUL]);
    // From then on the user id will do.
    house.at("2026-11-30T09:10:00Z").await;
    let mut start = answer("in.2", None, "START");
    start["messages"][0]["timestamp"] = json!(seconds("2026-11-30T09:09:00Z"));
    house.tell("messages", &start).await;
    assert!(suppressed(&house).await.is_empty());
    let wrote = "select concat_ws(' ', account_id, phone, to_char(last_inbound_at at time zone 'utc', 'HH24:MI'))
                 from conversation";
    // They wrote to an account that is known by the message they answered, and then by who wrote to them last.
    assert_eq!(house.world.column(wrote).await.last().unwrap(), &format!("1 {PAUL} 09:09"));
    // A message without a word for us is not unresolved, even if its author is unknown.
    let mut hello = answer("in.3", None, "bonjour");
    hello["contacts"] = json!([]);
    hello["messages"][0]["from_user_id"] = json!("CM.43");
    house.tell("messages", &hello).await;
    assert_eq!(house.world.count("webhook where processed_at is null").await, 0);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn provider_phone_spellings_are_learned_from_receipts() {
    let mut house = house().await;
    call(&mut house, 1, 2, "wamid.2", BIA.1).await;
    house.tell("messages", &said("in.1", BIA.1, "sair", "2026-11-30T08:59:00Z")).await;
    assert_eq!(suppressed(&house).await, [BIA.0]);
    assert_eq!(house.world.targets().await[1], "r2 c exited opted-out day 2");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inbound_message_opens_a_reply_window_of_one_day() {
    let mut house = house().await;
    let (paul, bia) = (Phone::trusted(PAUL.to_owned()), Phone::trusted(BIA.0.to_owned()));
    let people = [(AccountId(1), &bia), (AccountId(1), &paul), (AccountId(2), &paul)];
    let store = house.world.store().clone();
    let open = async |now: &str| store.open_windows(&people, now.parse().unwrap()).await.unwrap();
    assert_eq!(open("2026-11-30T09:00:00Z").await, [false, false, false]);
    house.tell("messages", &said("in.1", "237671000001", "Bonjour", "2026-11-30T08:50:00Z")).await;
    house.tell("messages", &said("in.0", "237671000001", "Allô", "2026-11-30T08:10:00Z")).await;
    assert_eq!(open("2026-12-01T08:49:59Z").await, [false, true, false]);
    assert_eq!(open("2026-12-01T08:50:00Z").await, [false, false, false]);
    // To the other account, whatever the clock of the provider says; and by a number that is nobody's, to who wrote last.
    let mut later = said("in.2", "237671000001", "Bonjour", "2027-01-01T08:50:00Z");
    later["metadata"]["phone_number_id"] = json!("902");
    house.tell("messages", &later).await;
    let mut other = said("in.3", &BIA.0[1..], "Oi", "2026-11-30T08:30:00Z");
    other["metadata"] = Value::Null;
    house.tell("messages", &other).await;
    assert_eq!(open("2026-12-01T08:29:00Z").await, [true, true, true]);
    assert_eq!(open("2026-12-01T09:00:00Z").await, [false, false, false]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_an_edited_message_suppresses_and_is_confirmed() {
    let mut house = house().await;
    house.at("2026-11-30T10:00:00Z").await;
    house.tell("messages", &said("in.1", "237671000001", "Bonjour", "2026-11-30T09:00:00Z")).await;
    let mut edit = said("in.1", "237671000001", "", "2026-11-30T09:05:00Z");
    edit["messages"][0]["type"] = json!("edit");
    let text = json!({"type": "text", "text": {"body": "STOP"}});
    edit["messages"][0]["edit"] = json!({"original_message_id": "in.1", "message": text});
    house.tell("messages", &edit).await;
    assert_eq!(suppressed(&house).await, [PAUL]);
    assert_eq!(told(&mut house).await, [TOLD]);
    // The original opened the window, and the edit does not prolong it.
    let window = "select to_char(last_inbound_at at time zone 'UTC', 'HH24:MI') from conversation";
    assert_eq!(house.world.column(window).await, ["09:00"]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn group_and_revoked_messages_open_no_window_and_get_no_answer() {
    let mut house = house().await;
    house.at("2026-11-30T10:00:00Z").await;
    let group = |id: &str, text: &str| {
        let mut message = said(id, "237671000001", text, "2026-11-30T09:00:00Z");
        message["messages"][0]["group_id"] = json!("Y2FwaV9ncm91cDox");
        message
    };
    house.tell("messages", &group("in.1", "hello everybody")).await;
    let mut revoke = said("in.2", "237671000001", "", "2026-11-30T09:01:00Z");
    revoke["messages"][0]["type"] = json!("revoke");
    revoke["messages"][0]["revoke"] = json!({"original_message_id": "in.1"});
    house.tell("messages", &revoke).await;
    assert_eq!(house.world.count("person_hold").await, 0);
    // A STOP to a group may be meant for friends: nothing goes out until somebody has read it.
    house.tell("messages", &group("in.3", "Stop!")).await;
    assert_eq!(house.world.column("select phone from person_hold").await, [PAUL]);
    assert_eq!(suppressed(&house).await, Vec::<String>::new());
    assert_eq!(house.world.count("conversation").await, 0);
    assert_eq!(told(&mut house).await, Vec::<String>::new());
    // A START to a group is no consent.
    house.tell("messages", &said("in.4", "237671000001", "STOP", "2026-11-30T09:02:00Z")).await;
    house.tell("messages", &group("in.5", "start")).await;
    assert_eq!(suppressed(&house).await, [PAUL]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_from_an_unknown_phone_is_suppressed() {
    let mut house = house().await;
    let mut stop = said("in.1", "237671009999", "STOP", "2026-11-30T08:59:00Z");
    stop["metadata"]["phone_number_id"] = json!("100");
    house.tell("messages", &stop).await;
    assert_eq!(suppressed(&house).await, ["+237671009999"]);
    house.close().await;
}

/// Tells those who are due, and returns whom, with what, since the last time.
async fn told(house: &mut House) -> Vec<String> {
    let before = house.world.channel.deliveries().len();
    let (program, channels) = house.world.program().await;
    while confirm(house.world.store(), &program, &channels, house.world.now).await.unwrap() > 0 {}
    let told = house.world.channel.deliveries().split_off(before);
    told.into_iter().map(|delivery| format!("{} {}", delivery.phone, delivery.text)).collect()
}

const TOLD: &str =
    "+237671000001 Vous ne recevrez plus de messages de notre part. Écrivez START si vous changez d'avis.";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_is_confirmed_exactly_once() {
    let mut house = house().await;
    house.at("2026-11-30T10:00:00Z").await;
    let stop = |id: &str, minute: u32| said(id, "237671000001", "STOP", &format!("2026-11-30T09:{minute:02}:00Z"));
    house.tell("messages", &stop("in.1", 1)).await;
    house.tell("messages", &stop("in.1", 1)).await;
    house.tell("messages", &stop("in.2", 2)).await;
    // By the number they wrote to, whosever person they are besides, in their language, with nothing that counts.
    let to = "select concat_ws(' ', account_id, channel, sender, language) from confirmation";
    assert_eq!(house.world.column(to).await, ["1 wa 901 fr"]);
    assert_eq!(told(&mut house).await, [TOLD]);
    assert_eq!(told(&mut house).await, Vec::<String>::new());
    assert_eq!(house.world.count("confirmation").await, 0);
    assert_eq!(house.world.one::<i32>("select taken from lane where account_id = 1").await, 2);
    // A START needs no answer; the next STOP is another one.
    house.tell("messages", &said("in.3", "237671000001", "START", "2026-11-30T09:03:00Z")).await;
    assert_eq!(told(&mut house).await, Vec::<String>::new());
    house.tell("messages", &stop("in.4", 4)).await;
    assert_eq!(told(&mut house).await, [TOLD]);
    // Whoever turns the switch of the provider is told by the provider.
    let switch = json!({"user_preferences": [{"wa_id": BIA.1, "value": "stop", "timestamp": 1_796_032_800}]});
    house.world.sql(&format!("insert into alias values ('{}', '{}')", BIA.1, BIA.0)).await;
    house.tell("user_preferences", &switch).await;
    assert_eq!(suppressed(&house).await.len(), 2);
    assert_eq!(told(&mut house).await, Vec::<String>::new());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lifted_or_erased_stop_is_never_confirmed() {
    let mut house = house().await;
    house.at("2026-11-30T10:00:00Z").await;
    let word = |text: &str, minute: u32| {
        said(&format!("{text}.{minute}"), "237671000001", text, &format!("2026-11-30T09:{minute:02}:00Z"))
    };
    house.tell("messages", &word("STOP", 1)).await;
    house.tell("messages", &word("START", 2)).await;
    assert_eq!(told(&mut house).await, Vec::<String>::new());
    // The first STOP is not told of beside the second.
    house.tell("messages", &word("STOP", 3)).await;
    assert_eq!(house.world.count("confirmation").await, 1);
    let (store, now) = (house.world.store().clone(), house.world.now);
    store.unsuppress(&BTreeSet::from([Phone::trusted(PAUL.to_owned())]), "they called", now).await.unwrap();
    assert_eq!(told(&mut house).await, Vec::<String>::new());
    house.tell("messages", &word("STOP", 4)).await;
    assert_eq!(told(&mut house).await, [TOLD]);
    // Of whoever is forgotten nothing stays, what is being handed over included.
    house.tell("messages", &word("START", 5)).await;
    house.tell("messages", &word("STOP", 6)).await;
    let (program, _) = house.world.program().await;
    assert_eq!(store.claim_confirmations(&program.policies, now).await.unwrap().len(), 1);
    store.forget(&Phone::trusted(PAUL.to_owned()), "a letter", now).await.unwrap();
    assert_eq!(house.world.count("confirmation").await, 0);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmation_is_never_sent_twice_or_after_a_day() {
    let mut house = house().await;
    house.at("2026-11-30T10:00:00Z").await;
    let stop = |id: &str| said(id, "237671000001", "STOP", "2026-11-30T09:01:00Z");
    house.tell("messages", &stop("in.1")).await;
    // Whoever dies with it in hand leaves it untold.
    let (program, _) = house.world.program().await;
    let claimed = house.world.store().claim_confirmations(&program.policies, house.world.now).await.unwrap();
    assert_eq!((claimed.len(), claimed[0].policy.sender.as_deref()), (1, Some("901")));
    assert_eq!(told(&mut house).await, Vec::<String>::new());
    // What certainly did not leave is tried again; of what may have, nobody is told again.
    let again = |fault| [Fault::Asks(Reaction::Throttle { after: None }), fault];
    for (fault, times) in [(Fault::Fine, 1), (Fault::NoAnswer, 1), (Fault::Asks(Reaction::FailDay), 0)] {
        house.world.sql("delete from suppression").await;
        let n = house.world.count("inbound").await;
        let at = house.world.now;
        house.world.channel.fail(PAUL, &again(fault));
        house.tell("messages", &said(&format!("again.{n}"), "237671000001", "STOP", &at.to_rfc3339())).await;
        assert_eq!(told(&mut house).await, Vec::<String>::new());
        house.at(&(at + TimeDelta::seconds(59)).to_rfc3339()).await;
        assert_eq!(told(&mut house).await, Vec::<String>::new());
        house.at(&(at + TimeDelta::seconds(60)).to_rfc3339()).await;
        assert_eq!(told(&mut house).await.len(), times, "{fault:?}");
        assert_eq!(told(&mut house).await, Vec::<String>::new());
    }
    // A daemon that was away for long does not come back with it.
    house.world.sql("delete from suppression").await;
    house.tell("messages", &said("last", "237671000001", "STOP", "2026-11-30T10:02:00Z")).await;
    house.at("2026-12-01T10:02:00Z").await;
    assert_eq!(told(&mut house).await, Vec::<String>::new());
    assert_eq!(house.world.count("confirmation").await, 0);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmation_is_free_text_from_the_number_that_got_the_stop() {
    let mut house = house().await;
    house.at("2026-11-30T09:02:00Z").await;
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let fake_graph = FakeGraph::start(anywhere, Clock::new(house.world.now, 1.0), Behaviour::default()).await.unwrap();
    let (number, phone) = ("901".to_owned(), PAUL.to_owned());
    fake_graph.order(Order::Inbound { number, phone, text: "STOP".to_owned() });
    house.tell("messages", &said("in.1", "237671000001", "STOP", "2026-11-30T09:01:00Z")).await;
    let mut desired = house.world.store().in_force().await.unwrap().desired;
    for channel in desired.channels.values_mut() {
        if let Spec::WhatsappCloud(spec) = channel {
            spec.base_url = fake_graph.url();
        }
    }
    let store = house.world.store().clone();
    let open: Open = Arc::new(move |spec| match spec {
        Some(Spec::WhatsappCloud(spec)) => Arc::new(WhatsappCloud::new((**spec).clone())),
        _ => Arc::new(Sandbox::new(store.clone(), Duration::ZERO)),
    });
    let (program, _) = house.world.program().await;
    let channels = Channels::open(&desired.channels, &open);
    for told in [1, 0] {
        assert_eq!(confirm(house.world.store(), &program, &channels, house.world.now).await.unwrap(), told);
    }
    let [accepted] = &fake_graph.ledger()[..] else { panic!("{:?}", fake_graph.ledger()) };
    assert_eq!((&accepted.body["to"], &accepted.body["type"]), (&json!(PAUL), &json!("text")));
    assert_eq!(format!("{PAUL} {}", accepted.body["text"]["body"].as_str().unwrap()), TOLD);
    // What becomes of it concerns no message, nor its account.
    let key = &accepted.body["biz_opaque_callback_data"];
    let failed = json!({"id": "wamid.x", "status": "failed", "biz_opaque_callback_data": key,
                        "errors": [{"code": 131_042, "title": "Payment"}]});
    house.tell("messages", &json!({"statuses": [failed]})).await;
    let halts = "select (select count(*) from account_halt) + (select count(*) from channel_halt)";
    assert_eq!(house.world.one::<i64>(halts).await, 0);
    house.close().await;
}
