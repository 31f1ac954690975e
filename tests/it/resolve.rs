//! What a person finds out about messages whose fate nobody knew: it settles them, and sends nothing.

use chrono::TimeDelta;
use relance::core::lifecycle::message::State;
use relance::core::lifecycle::outcome::Finding;
use relance::store::{Chosen, Receipt, ReceiptStatus, Resolved};

use crate::accidents::tree;
use crate::operator::session;
use crate::support::facts::Person;
use crate::support::world::{Fault, World};

const MONDAY: &str = "2026-11-30T08:00:00Z";
const LOST: &str = "+237671000001";

/// Two people of one account under a daily cap of one message: the fate of the first one's is unknown.
async fn world() -> World {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    world.person(Person { registered_at: "2026-11-21T10:00:00Z", ..Person::new("r1", LOST) }).await;
    world.person(Person::new("r2", "+237671000002")).await;
    world.channel.fail(LOST, &[Fault::NoAnswer]);
    world.apply(&tree("  limits: {messagesPerDay: 1}")).await;
    world.run_for(TimeDelta::hours(7)).await;
    assert_eq!(world.messages().await, ["r1 welcome day 1 uncertain attempt 1"]);
    world
}

async fn resolve(world: &World, id: &str, finding: Finding) -> Resolved {
    let store = world.store().acting(Some("maria"));
    store.resolve(Chosen::Ids(&[id.to_owned()]), finding, Some("asked them"), world.now).await.unwrap()
}

#[tokio::test]
async fn a_message_resolved_as_unsent_returns_its_quota_without_a_resend() {
    let mut world = world().await;
    let before = world.targets().await;
    assert_eq!(resolve(&world, "welcome/a1/r1/1", Finding::Failed).await, Resolved::Done(1));
    assert_eq!(world.targets().await, before);
    assert_eq!(world.wrong_counters().await, 0);
    world.run_for(TimeDelta::minutes(10)).await;
    // The other one has the quota of that day now.
    let now = ["r1 welcome day 1 failed attempt 1", "r2 welcome day 1 sent attempt 1"];
    assert_eq!(world.messages().await, now);
    world.run_for(TimeDelta::days(6)).await;
    let day_1 = world.channel.keys().into_iter().filter(|key| key.target.referral.0 == 1 && key.day == 1);
    assert_eq!(day_1.count(), 1);
    assert_eq!(world.targets().await, ["r1 welcome completed day 2", "r2 welcome completed day 2"]);
}

#[tokio::test]
async fn quota_of_a_past_day_is_never_returned() {
    let mut world = world().await;
    world.run_for(TimeDelta::days(1)).await;
    assert_eq!((world.taken().await.0, world.messages().await.len()), (1, 2));
    resolve(&world, "welcome/a1/r1/1", Finding::Failed).await;
    world.run_for(TimeDelta::hours(1)).await;
    assert_eq!((world.taken().await.0, world.messages().await.len()), (1, 2));
    assert_eq!(world.wrong_counters().await, 0);
}

#[tokio::test]
async fn a_message_resolved_as_sent_counts_and_accepts_receipts() {
    let mut world = world().await;
    assert_eq!(resolve(&world, "welcome/a1/r1/1", Finding::Sent).await, Resolved::Done(1));
    assert!(world.one::<bool>("select sent_at = queued_at and error is null from message").await);
    world.run_for(TimeDelta::minutes(10)).await;
    assert_eq!(world.messages().await, ["r1 welcome day 1 sent attempt 1"]);
    let key = world.channel.keys()[0];
    let receipt = Receipt::new(key, ReceiptStatus::Delivered, world.now);
    assert_eq!(world.store().receipts(&[receipt], world.now).await.unwrap(), 1);
    assert_eq!(world.messages().await, ["r1 welcome day 1 delivered attempt 1"]);
    // Somebody else was faster: what is known is not changed.
    let refused = Resolved::Refused(vec![("welcome/a1/r1/1".to_owned(), Some(State::Delivered))]);
    assert_eq!(resolve(&world, "welcome/a1/r1/1", Finding::Failed).await, refused);
    assert_eq!(world.messages().await, ["r1 welcome day 1 delivered attempt 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_commands_print_results_and_mistakes() {
    let mut world = world().await;
    world.channel.fail("+237671000002", &[Fault::NoAnswer]);
    world.run_for(TimeDelta::days(1)).await;
    world.store().set_clock(world.now, relance::store::Speed(0.0)).await.unwrap();
    let maria = ["--actor", "maria", "--reason", "the provider's report"];
    let told = session(
        &world.url(),
        &[
            &["resolve", "welcome/a1/r1/1"],
            &["resolve", "sent"],
            &["resolve", "--all", "--older-than", "1h", "welcome/a1/r1/1", "sent"],
            // One that cannot be resolved, and none is.
            &[&["resolve", "welcome/a1/r1/1", "welcome/a1/r9/1", "welcome/a1/r1", "failed"], &maria[..]].concat(),
            &[&["resolve", "--all", "--older-than", "20h", "--account", "a2", "failed"], &maria[..]].concat(),
            &[&["resolve", "--all", "--older-than", "20h", "--campaign", "welcome", "failed"], &maria[..]].concat(),
            &[&["resolve", "--all", "--older-than", "20h", "failed"], &maria[..]].concat(),
            &[&["resolve", "welcome/a1/r2/1", "sent", "-o", "json"], &maria[..]].concat(),
            &[&["resolve", "welcome/a1/r2/1", "failed"], &maria[..]].concat(),
            &["log", "-n", "2"],
        ],
    );
    insta::assert_snapshot!(told);
}
