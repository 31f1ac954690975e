//! One handset, many spellings: a STOP reaches the person by whatever name the provider has for them.

use chrono::TimeDelta;
use relance::channel::Outcome;
use serde_json::{Value, json};

use super::people::{BIA, PAUL, call, house, said, suppressed};
use crate::support::daemon::folder;
use crate::support::facts::Person;
use crate::support::house::{House, MONDAY, account, channel, seconds};
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::World;

/// People as an import stores them, and the number by which WhatsApp reports them.
const SPELLED: [(&str, &str); 11] = [
    ("+541123456789", "5491123456789"),
    ("+525512345678", "5215512345678"),
    ("+5531999997777", "553199997777"),
    ("+2290197123456", "22997123456"),
    ("+2250707662170", "22507662170"),
    ("+237671697846", "23771697846"),
    ("+24177123456", "24107123456"),
    ("+237671000021", "+237671000021"),
    ("+237671000022", "tel:+237671000022"),
    ("+237671000023", "237671000023@s.whatsapp.net"),
    ("+33612345678", "0033612345678"),
];

/// A world that nobody was written to, with the people of [`SPELLED`].
async fn unwritten(people: &[(&str, &str)]) -> House {
    let mut world = World::at(MONDAY).await;
    let dir = folder();
    world.account("a1").await;
    for (number, (phone, _)) in people.iter().enumerate() {
        world.person(Person::new(&format!("r{number}"), phone)).await;
    }
    let spec = format!("{ALWAYS}, enrollment: continuous");
    world.apply(&(tree(2, NO_PACE, &[("c", &spec)]) + &channel(&dir) + &account("a1", "901"))).await;
    House::open(world, dir).await
}

/// The phones of all that is sent within a day.
async fn sent(mut world: World) -> Vec<String> {
    world.run_for(TimeDelta::hours(20)).await;
    world.channel.delivered().into_iter().map(|(phone, _)| phone).collect()
}

/// A message by a user id alone.
fn by_user(id: &str, user: &str, text: &str, at: &str) -> Value {
    let message =
        json!({"id": id, "from_user_id": user, "timestamp": seconds(at), "type": "text", "text": {"body": text}});
    json!({"metadata": {"phone_number_id": "901"}, "messages": [message]})
}

fn system(id: &str, from: &str, system: &Value) -> Value {
    let message = json!({"id": id, "from": from, "timestamp": seconds(MONDAY), "type": "system", "system": system});
    json!({"metadata": {"phone_number_id": "901"}, "messages": [message]})
}

async fn waiting(house: &House) -> i64 {
    house.world.count("webhook where processed_at is null").await
}

async fn holds(house: &House) -> Vec<String> {
    house.world.column("select account_id || ' ' || phone from person_hold order by 1").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_before_the_first_message_matches_every_phone_spelling() {
    let mut house = unwritten(&SPELLED).await;
    for (number, (phone, reported)) in SPELLED.iter().enumerate() {
        house.tell("messages", &said(&format!("in.{number}"), reported, "STOP", MONDAY)).await;
        assert!(suppressed(&house).await.contains(&(*phone).to_owned()), "{reported}");
    }
    assert_eq!((suppressed(&house).await.len(), waiting(&house).await), (SPELLED.len(), 0));
    house.world.person(Person::new("other", PAUL)).await;
    assert_eq!(sent(house.close().await).await, [PAUL]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_before_the_import_prevents_every_message() {
    let mut house = unwritten(&[]).await;
    for (number, (_, reported)) in SPELLED.iter().enumerate() {
        house.tell("messages", &said(&format!("in.{number}"), reported, "STOP", MONDAY)).await;
    }
    for (number, (phone, _)) in SPELLED.iter().enumerate() {
        house.world.person(Person::new(&format!("r{number}"), phone)).await;
    }
    house.world.person(Person::new("other", PAUL)).await;
    assert_eq!(sent(house.close().await).await, [PAUL]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_adds_phones_and_never_replaces_the_spelled_one() {
    let mut house = house().await;
    house.at("2026-11-30T10:00:00Z").await;
    // Both numbers are one handset, as the provider once said.
    house.world.sql(&format!("insert into alias values ('{}', '{}')", &PAUL[1..], BIA.0)).await;
    house.tell("messages", &said("in.1", &PAUL[1..], "STOP", "2026-11-30T09:00:00Z")).await;
    assert_eq!(suppressed(&house).await, [PAUL, BIA.0]);
    let exited = "exited opted-out day 2";
    let now = [format!("r1 c {exited}"), format!("r2 c {exited}"), format!("r3 c {exited}")];
    assert_eq!(house.world.targets().await, now);
    // They are told once, and a START of either undoes it.
    assert_eq!(house.world.count("confirmation").await, 1);
    house.tell("messages", &said("in.2", BIA.1, "START", "2026-11-30T09:01:00Z")).await;
    assert!(suppressed(&house).await.is_empty());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_response_links_provider_ids_to_the_phone() {
    let mut house = unwritten(&[(PAUL, "")]).await;
    house.world.run_for(TimeDelta::hours(1)).await;
    house.world.now += TimeDelta::days(1);
    let claim = house.world.claim(1).await;
    let outcome = Outcome::Accepted {
        provider_id: "wamid.1".to_owned(),
        names: vec!["99912345678".to_owned(), "CM.7".to_owned()],
    };
    let outcomes: Vec<_> = claim.messages.into_iter().map(|message| (message, outcome.clone())).collect();
    assert_eq!(outcomes.len(), 1);
    house.world.store().save_outcomes(&outcomes, house.world.now).await.unwrap();
    let learnt = [format!("99912345678 {PAUL}"), format!("CM.7 {PAUL}")];
    assert_eq!(house.world.column("select id || ' ' || phone from alias order by 1").await, learnt);
    house.tell("messages", &by_user("in.1", "CM.7", "STOP", MONDAY)).await;
    assert_eq!((suppressed(&house).await, waiting(&house).await), (vec![PAUL.to_owned()], 0));
    house.world.sql("delete from suppression").await;
    house.tell("messages", &said("in.2", "99912345678", "STOP", MONDAY)).await;
    assert_eq!((suppressed(&house).await, waiting(&house).await), (vec![PAUL.to_owned()], 0));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_stop_applies_once_a_receipt_names_the_handset() {
    let mut house = house().await;
    house.tell("messages", &said("in.1", "237671000099", "STOP", MONDAY)).await;
    assert_eq!(suppressed(&house).await, ["+237671000099"]);
    // The status of day 1 tells that the stranger is Bia.
    call(&mut house, 1, 2, "wamid.2", "237671000099").await;
    assert_eq!(suppressed(&house).await, ["+237671000099", BIA.0]);
    assert_eq!(house.world.targets().await[1], "r2 c exited opted-out day 2");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_links_a_user_id_to_the_phone() {
    for contact in [true, false] {
        let mut house = house().await;
        let name = house.world.one::<String>("select provider_id from message where referral_id = 1").await;
        let mut status = json!({"id": name, "status": "delivered", "recipient_id": &PAUL[1..],
                                "biz_opaque_callback_data": "relance.1.1.1.1"});
        let mut value = json!({});
        if contact {
            value["contacts"] = json!([{"wa_id": "1"}, {"wa_id": &PAUL[1..], "user_id": "CM.full"}]);
        } else {
            status["recipient_user_id"] = json!("CM.full");
        }
        value["statuses"] = json!([status]);
        house.tell("messages", &value).await;
        house.tell("messages", &by_user("in.1", "CM.full", "STOP", MONDAY)).await;
        assert_eq!((suppressed(&house).await, waiting(&house).await), (vec![PAUL.to_owned()], 0));
        // The switch of the provider names people in the same way.
        house.world.sql("delete from suppression").await;
        let switch = json!({"user_preferences": [{"user_id": "CM.full", "category": "marketing_messages",
                                                  "value": "stop", "timestamp": 1_796_032_800}]});
        house.tell("user_preferences", &switch).await;
        assert_eq!(suppressed(&house).await, [PAUL]);
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_shared_by_many_people_stops_nobody_else() {
    let mut house = house().await;
    house.at("2026-11-30T10:00:00Z").await;
    for name in ["1", "237671009999"] {
        let people = format!("insert into alias select '{name}', '+23767100000' || n from generate_series(3, 9) n");
        house.world.sql(&people).await;
        house.world.sql(&format!("insert into alias values ('{name}', '{PAUL}'), ('{name}', '{}')", BIA.0)).await;
    }
    house.tell("messages", &said("in.1", &PAUL[1..], "STOP", "2026-11-30T09:00:00Z")).await;
    house.tell("messages", &said("in.2", "237671009999", "STOP", "2026-11-30T09:00:00Z")).await;
    assert_eq!(suppressed(&house).await, [PAUL, "+237671009999"]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_from_an_unknown_user_id_sends_candidates_to_review() {
    let mut house = house().await;
    house.world.person(Person::new("r4", "+237671000077")).await;
    house.world.sql(&format!("update referral set country = 'BR' where phone = '{}'", BIA.0)).await;
    // Paul alone: Bia is in Brazil, and nobody wrote to the fourth.
    house.tell("messages", &by_user("in.1", "CM.9", "STOP", MONDAY)).await;
    assert_eq!((holds(&house).await, waiting(&house).await), (vec![format!("0 {PAUL}")], 0));
    assert!(suppressed(&house).await.is_empty());
    // Neither does a word that stops nothing, nor a person with another user id.
    house.world.sql("delete from person_hold").await;
    house.tell("messages", &by_user("in.2", "CM.9", "Bonjour", MONDAY)).await;
    house.world.sql(&format!("insert into alias values ('CM.1', '{PAUL}')")).await;
    house.tell("messages", &by_user("in.3", "CM.9", "STOP", MONDAY)).await;
    assert_eq!((holds(&house).await, waiting(&house).await), (vec![], 1));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_user_id_keeps_the_same_person() {
    let mut house = house().await;
    house.world.sql(&format!("insert into alias values ('CM.full', '{PAUL}')")).await;
    let change = json!({"type": "user_changed_user_id", "previous_user_id": "CM.full", "user_id": "CM.new"});
    house.tell("messages", &system("in.1", &PAUL[1..], &change)).await;
    assert!(holds(&house).await.is_empty());
    house.tell("messages", &by_user("in.2", "CM.new", "STOP", MONDAY)).await;
    assert_eq!((suppressed(&house).await, waiting(&house).await), (vec![PAUL.to_owned()], 0));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_number_goes_to_review_and_its_stop_covers_both() {
    let mut house = house().await;
    let change = system("in.1", &PAUL[1..], &json!({"type": "user_changed_number", "wa_id": "237671000044"}));
    house.tell("messages", &change).await;
    assert_eq!(holds(&house).await, [format!("0 {PAUL}")]);
    let log = "select detail from event where kind = 'near-opt-out'";
    let told = "held +2376*****01: they have another number now; `relancectl suppress holds` shows it";
    assert_eq!(house.world.sentences(log).await, [told]);
    // Nothing goes to the old number, and a repeated report holds nobody whom an operator has released.
    house.world.sql("delete from person_hold").await;
    house.tell("messages", &change).await;
    assert!(holds(&house).await.is_empty());
    house.tell("messages", &said("in.2", "237671000044", "STOP", MONDAY)).await;
    assert_eq!(suppressed(&house).await, [PAUL, "+237671000044"]);
    assert_eq!(house.world.targets().await[0], "r1 c exited opted-out day 2");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_from_a_new_number_never_lifts_the_old_one() {
    let mut house = house().await;
    let change = system("in.1", &PAUL[1..], &json!({"type": "user_changed_number", "wa_id": "237671000044"}));
    house.tell("messages", &change).await;
    house.tell("messages", &said("in.2", "237671000044", "START", "2026-11-30T07:00:00Z")).await;
    assert_eq!(holds(&house).await, [format!("0 {PAUL}")]);
    // Somebody else has the old number and writes STOP.
    house.tell("messages", &said("in.3", &PAUL[1..], "STOP", "2026-11-30T07:30:00Z")).await;
    assert_eq!(suppressed(&house).await, [PAUL, "+237671000044"]);
    house.tell("messages", &said("in.4", "237671000044", "START", MONDAY)).await;
    assert_eq!(suppressed(&house).await, [PAUL]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_under_review_for_a_new_number_receives_nothing() {
    let mut house = house().await;
    let change = system("in.1", &PAUL[1..], &json!({"type": "user_changed_number", "wa_id": "237671000044"}));
    house.tell("messages", &change).await;
    let mut world = house.close().await;
    world.run_for(TimeDelta::days(1)).await;
    let phones: Vec<String> = world.channel.delivered().into_iter().map(|(phone, _)| phone).collect();
    assert_eq!(phones.iter().filter(|phone| *phone == PAUL).count(), 2, "{phones:?}");
    assert_eq!(phones.iter().filter(|phone| *phone == BIA.0).count(), 2, "{phones:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_carries_over_to_a_changed_number() {
    let mut house = house().await;
    house.tell("messages", &said("in.1", &PAUL[1..], "STOP", MONDAY)).await;
    let change = json!({"type": "user_changed_number", "wa_id": "237671000044"});
    house.tell("messages", &system("in.2", &PAUL[1..], &change)).await;
    assert_eq!(suppressed(&house).await, [PAUL, "+237671000044"]);
    assert!(holds(&house).await.is_empty());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ambiguous_stop_sends_every_candidate_to_review() {
    // Guinea, Togo and Abidjan: plans that changed in ways that nobody can tell from the digits.
    let people = [
        ("+224622123456", "22462123456"),
        ("+22890012345", "2289012345"),
        ("+2252520001234", "22520001234"),
        ("+5511933334444", "551133334444"),
    ];
    let mut house = unwritten(&[&people[..], &[("+224622123457", ""), (PAUL, "")]].concat()).await;
    for (number, (_, reported)) in people.iter().enumerate() {
        house.tell("messages", &said(&format!("in.{number}"), reported, "STOP", MONDAY)).await;
    }
    let mut held: Vec<String> = people.iter().map(|(phone, _)| format!("0 {phone}")).collect();
    held.sort();
    assert_eq!((holds(&house).await, waiting(&house).await), (held, 0));
    // The fixed line of São Paulo that the last digits spell may be somebody too.
    assert_eq!(suppressed(&house).await, ["+551133334444"]);
    // A word that stops nothing holds nobody.
    house.world.sql("delete from person_hold").await;
    house.tell("messages", &said("in.9", "22462123456", "Bonjour", MONDAY)).await;
    assert!(holds(&house).await.is_empty());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_phone_as_written_is_dialled_and_recorded() {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    world.person(Person::new("r1", "+541123456789")).await;
    world.sql("update referral set dialled = '+5491123456789'").await;
    world.apply(&tree(2, NO_PACE, &[("c", ALWAYS)])).await;
    world.run_for(TimeDelta::hours(1)).await;
    assert_eq!(world.channel.delivered()[0].0, "+5491123456789");
    assert_eq!(world.column("select phone from message").await, ["+5491123456789"]);
}
