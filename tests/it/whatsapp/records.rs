//! The records of messages on WhatsApp: they show the content that was handed over. A message that does not fit fails
//! for its person alone.

use chrono::TimeDelta;
use relance::channel::whatsapp::WhatsappCloud;
use relance::channel::{Channel, Outcome, Reaction};
use relance::core::domain::Phone;
use relance::store::query::{HistoryOf, Wanted};

use super::Meta;
use crate::support::facts::Person;
use crate::support::house::account;
use crate::support::trees::NO_PACE;
use crate::support::world::World;

const MONDAY: &str = "2026-11-30T08:00:00Z";

/// A tree of the campaign `c`, which goes by the channel `wa`; the text of a day is French and English.
fn tree(days: &[&str]) -> String {
    let mut tree = format!(
        "apiVersion: relance/v1\nkind: Defaults\nmetadata: {{name: defaults}}\nspec: {{channelRef: wa, {NO_PACE}}}\n\
         ---\napiVersion: relance/v1\nkind: Sequence\nmetadata: {{name: days}}\nspec:\n  fallbackLanguage: fr\n  days:\n"
    );
    for (day, template) in (1..).zip(days) {
        let text = format!("{{fr: 'Jour {day}, {{{{ name }}}}. STOP', en: 'Day {day}, {{{{ name }}}}. STOP'}}");
        tree += &format!("    - {{day: {day}, text: {text}{template}}}\n");
    }
    tree + "---
apiVersion: relance/v1
kind: Campaign
metadata: {name: c}
spec:
  type: filtered
  sequenceRef: days
  schedule: {firstAfter: 1h, windows: [{from: '00:00', to: '24:00'}]}
---
apiVersion: relance/v1
kind: Channel
metadata: {name: wa}
spec: {type: whatsapp-cloud, accessToken: {fromEnv: NOBODY}}
" + &account("a1", super::NUMBER)
}

/// Enrolls everybody, and waits until day 1 is due.
async fn enrolled(world: &mut World, days: &[&str]) {
    world.apply(&tree(days)).await;
    world.settle().await;
    world.now += TimeDelta::minutes(61);
}

/// Claims all due messages, hands them to the fake Graph API, and saves the outcomes.
async fn send(world: &mut World, channel: &WhatsappCloud) -> Vec<Outcome> {
    let mut all = Vec::new();
    loop {
        let messages = world.claim(1_000).await.messages;
        if messages.is_empty() {
            return all;
        }
        let outcomes = channel.hand_over(&messages, world.now).await;
        let pairs: Vec<_> = messages.into_iter().zip(outcomes).collect();
        world.store().save_outcomes(&pairs, world.now).await.unwrap();
        all.extend(pairs.into_iter().map(|(_, outcome)| outcome));
    }
}

async fn people(world: &World, count: usize) {
    for n in 1..=count {
        world.person(Person::new(&format!("r{n:02}"), &super::phone(n.try_into().unwrap()))).await;
    }
}

/// Every message as referral, day, state, language, and content.
async fn recorded(world: &World) -> Vec<String> {
    let rows = world.store().messages(&Wanted::default()).await.unwrap().rows;
    let line = |row: &relance::store::query::Message| {
        format!("{} {} {} {}: {}", row.referral, row.day, row.state, row.language, row.content())
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn a_message_is_recorded_with_the_template_and_the_language_that_were_sent() {
    let mut meta = Meta::new().await;
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    for (n, language) in (1..).zip([Some("en"), Some("fr"), Some("en-GB"), Some("sw"), None]) {
        world.person(Person { language, ..Person::new(&format!("r{n}"), &super::phone(n)) }).await;
    }
    let days = [
        ", whatsappTemplate: {name: day_one, language: fr, parameters: {first: '{{ name }}', tag: '{{ language }}'}}",
        ", whatsappTemplate: {name: day_two, header: 'Jour {{ day }}', parameters: ['{{ name }}']}",
    ];
    enrolled(&mut world, &days).await;
    // Two people wrote an hour ago, so they get the text.
    for n in [2, 3] {
        meta.writes(&super::phone(n));
        world.sql(&format!("insert into conversation values (1, '{}', '2026-11-30T08:30Z')", super::phone(n))).await;
    }
    let channel = meta.channel();
    let accepted = |outcomes: &[Outcome]| assert!(outcomes.iter().all(super::is_accepted), "{outcomes:?}");
    accepted(&send(&mut world, &channel).await);
    world.now += TimeDelta::days(1);
    accepted(&send(&mut world, &channel).await);
    assert_eq!(
        recorded(&world).await,
        [
            "r1 1 sent fr: day_one (fr): first=Paul · tag=fr",
            "r1 2 sent en: day_two (en): Jour 2 · Paul",
            "r2 1 sent fr: Jour 1, Paul. STOP",
            "r2 2 sent fr: day_two (fr): Jour 2 · Paul",
            "r3 1 sent en: Day 1, Paul. STOP",
            "r3 2 sent en: day_two (en): Jour 2 · Paul",
            "r4 1 sent fr: day_one (fr): first=Paul · tag=fr",
            "r4 2 sent fr: day_two (fr): Jour 2 · Paul",
            "r5 1 sent fr: day_one (fr): first=Paul · tag=fr",
            "r5 2 sent fr: day_two (fr): Jour 2 · Paul",
        ]
    );
    // The fake Graph API got the same.
    let codes =
        meta.bodies().into_iter().filter_map(|body| Some(body["template"]["language"]["code"].as_str()?.to_owned()));
    let mut codes: Vec<String> = codes.collect();
    codes.sort();
    assert_eq!(codes, ["en", "en", "fr", "fr", "fr", "fr", "fr", "fr"]);
    // A text that was not sent is in no record.
    assert_eq!(world.count("message where template is not null and text <> ''").await, 0);
    let history = world.store().history(HistoryOf::Referrals(&["r1".to_owned()]), 100).await.unwrap();
    let sent: Vec<String> = history.iter().map(ToString::to_string).filter(|line| line.contains("day 1")).collect();
    assert!(sent[0].contains("day 1 sent as the template `day_one` in `fr`"), "{sent:?}");
    // An erasure reaches the values of templates.
    let phone = Phone::trusted(super::phone(1));
    world.store().forget(&phone, "asked for it", world.now).await.unwrap();
    assert_eq!(world.count("message where template::text like '%Paul%' and referral_id = 1").await, 0);
}

#[tokio::test]
async fn a_blank_or_overlong_name_fails_that_person_alone() {
    let meta = Meta::new().await;
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    people(&world, 30).await;
    // A fifth of all people: as failures of the account, they would stop it.
    let long = "Marie-Antoinette Josèphe Jeanne de Habsbourg-Lorraine de la Tour et Taxis";
    let names = [("r01", ""), ("r02", " "), ("r03", "\u{200b}"), ("r04", long), ("r05", "\t\n"), ("r06", "\u{3164}")];
    for (id, name) in names {
        world.sql(&format!("update referral set name = '{name}' where external_id = '{id}'")).await;
    }
    world.sql("update referral set name = E'Paul\\n\\tde     Douala' where external_id = 'r07'").await;
    let template = ", whatsappTemplate: {name: hello, header: '{{ name }}'}";
    enrolled(&mut world, &[template, template, template]).await;
    let channel = meta.channel();
    for day in 1..=3 {
        let outcomes = send(&mut world, &channel).await;
        let unfit = |outcome: &&Outcome| super::asks_for(outcome) == Some(Reaction::Unfit);
        let people = if day == 3 { 0 } else { names.len() };
        assert_eq!(outcomes.iter().filter(unfit).count(), people, "day {day}: {outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| super::is_accepted(outcome)).count(), 24, "day {day}");
        assert_eq!(world.runs().await, ["c a1 active running"]);
        world.now += TimeDelta::days(1);
    }
    assert_eq!(meta.fake_graph.traffic().calls, 72);
    assert_eq!(world.count("account_halt").await, 0);
    assert_eq!(world.one::<i32>("select failed + failed_before from lane").await, 0);
    let left = "select external_id || ' ' || exit_reason from target t join referral r on r.id = t.referral_id
                where state = 'exited' order by 1";
    let expected: Vec<String> = names.iter().map(|(id, _)| format!("{id} failed")).collect();
    assert_eq!(world.column(left).await, expected);
    // A name over two lines went out on one.
    assert!(recorded(&world).await.contains(&"r07 1 sent fr: hello (fr): Paul de Douala".to_owned()));
    assert_eq!(world.wrong_counters().await, 0);
}

#[tokio::test]
async fn a_day_without_a_template_is_no_failure_of_the_account() {
    let meta = Meta::new().await;
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    people(&world, 25).await;
    enrolled(&mut world, &["", ", whatsappTemplate: {name: day_two}"]).await;
    let channel = meta.channel();
    let outcomes = send(&mut world, &channel).await;
    assert!(outcomes.iter().all(|outcome| super::asks_for(outcome) == Some(Reaction::Unfit)), "{outcomes:?}");
    assert_eq!((world.runs().await, meta.fake_graph.traffic().calls), (vec!["c a1 active running".to_owned()], 0));
    world.now += TimeDelta::days(1);
    assert_eq!(send(&mut world, &channel).await.iter().filter(|one| super::is_accepted(one)).count(), 25);
    assert_eq!(world.one::<i32>("select failed + failed_before from lane").await, 0);
}
