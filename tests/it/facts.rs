//! Facts that arrive one by one: they take effect at once, and no older export undoes them.

use std::io::Cursor;

use chrono::TimeDelta;
use relance::core::domain::{AccountId, ReferralId, Timestamp};
use relance::facts::{Source, import};
use relance::store::{Age, FactEvent};

use crate::accidents::tree;
use crate::support::facts::Person;
use crate::support::world::World;

const MONDAY: &str = "2026-11-30T08:00:00Z";
const HEADER: &str = "id,account_id,name,phone,country,registered_at,paid_at";

/// One account with two people and a campaign of two days.
async fn world() -> World {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    world.person(Person::new("r1", "+237671000001")).await;
    world.person(Person::new("r2", "+237671000002")).await;
    world.apply(&tree("")).await;
    world
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

async fn account(world: &World, id: &str) -> AccountId {
    world.store().find_accounts(&[id]).await.unwrap()[id]
}

async fn paid(world: &World, id: &str, at: &str) -> FactEvent {
    let found = &world.store().find_referrals(&[id]).await.unwrap()[id];
    FactEvent::Paid { account: found.account, referral: found.referral, at: time(at) }
}

async fn record(world: &World, events: &[FactEvent]) -> u64 {
    world.store().record(events, world.now).await.unwrap()
}

async fn import_referrals(world: &World, as_of: &str, file: &str) {
    let source = Source::stream("test", Cursor::new(file.to_owned().into_bytes()));
    let report = import::referrals(world.store(), source, Age { as_of: time(as_of), now: world.now }).await.unwrap();
    assert!(report.rejected.is_empty(), "{report:?}");
}

async fn import_accounts(world: &World, as_of: &str, file: &str) {
    let source = Source::stream("test", Cursor::new(file.to_owned().into_bytes()));
    let report = import::accounts(world.store(), source, Age { as_of: time(as_of), now: world.now }).await.unwrap();
    assert!(report.rejected.is_empty(), "{report:?}");
}

#[tokio::test]
async fn accident_06_a_payment_ends_the_sequence() {
    let mut world = world().await;
    world.run_for(TimeDelta::hours(30)).await;
    assert_eq!(world.channel.delivered().len(), 2);
    let event = paid(&world, "r1", "2026-12-01T13:00:00Z").await;
    assert_eq!(record(&world, &[event]).await, 1);
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.targets().await, ["r1 welcome exited paid day 2", "r2 welcome completed day 2"]);
    assert_eq!(world.channel.delivered().len(), 3);
    assert_eq!(world.runs().await, ["welcome a1 completed drained"]);
}

#[tokio::test]
async fn a_repeated_fact_changes_nothing_and_wakes_no_run() {
    let mut world = world().await;
    world.settle().await;
    let a1 = account(&world, "a1").await;
    let events = [
        paid(&world, "r1", "2026-11-30T07:00:00Z").await,
        FactEvent::SubscriptionEnds { account: a1, at: Some(time("2026-12-31T00:00:00Z")) },
        FactEvent::Connection { account: a1, connected: false },
    ];
    assert_eq!(record(&world, &events).await, 3);
    world.settle().await;
    let (due, generation) = (world.store().next_due().await.unwrap(), world.store().facts_generation().await.unwrap());
    world.now += TimeDelta::minutes(1);
    assert_eq!(record(&world, &events).await, 0);
    world.now += TimeDelta::minutes(1);
    let later = paid(&world, "r1", "2026-11-30T08:00:30Z").await;
    assert_eq!(record(&world, &[later]).await, 0, "a second payment is no news");
    assert_eq!(world.store().next_due().await.unwrap(), due);
    assert_eq!(world.store().facts_generation().await.unwrap(), generation);
    assert_eq!(world.column("select paid_at::text from referral where id = 1").await, ["2026-11-30 07:00:00+00"]);
}

#[tokio::test]
async fn facts_about_unknown_accounts_and_people_are_ignored() {
    let world = world().await;
    let (account, referral) = (AccountId(77), ReferralId(1));
    let at = time(MONDAY);
    let events = [
        FactEvent::Paid { account, referral, at },
        FactEvent::SubscriptionEnds { account, at: Some(at) },
        FactEvent::Connection { account, connected: false },
    ];
    assert_eq!(record(&world, &events).await, 0);
    assert_eq!(record(&world, &[]).await, 0);
    assert!(world.store().find_accounts(&["nobody"]).await.unwrap().is_empty());
    let found = world.store().find_referrals(&["r2", "nobody"]).await.unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), ["r2"]);
    assert_eq!(found["r2"].phone.as_str(), "+237671000002");
}

#[tokio::test]
async fn an_expired_subscription_blocks_sending_until_its_renewal() {
    let mut world = world().await;
    let a1 = account(&world, "a1").await;
    world.settle().await;
    let (past, ahead) = (time("2026-11-30T00:00:00Z"), time("2026-12-31T00:00:00Z"));
    // Of two events of one batch the last counts.
    let events = [Some(ahead), Some(past)].map(|at| FactEvent::SubscriptionEnds { account: a1, at });
    assert_eq!(record(&world, &events).await, 1);
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.channel.delivered().len(), 0);
    assert_eq!(record(&world, &[FactEvent::SubscriptionEnds { account: a1, at: None }]).await, 1);
    world.settle().await;
    assert_eq!(world.channel.delivered().len(), 2);
}

#[tokio::test]
async fn a_lost_connection_blocks_sending_until_it_returns() {
    let mut world = world().await;
    let a1 = account(&world, "a1").await;
    let connection = |connected| [FactEvent::Connection { account: a1, connected }];
    world.settle().await;
    assert_eq!(record(&world, &connection(false)).await, 1);
    world.run_for(TimeDelta::days(1)).await;
    assert_eq!(world.channel.delivered().len(), 0);
    assert_eq!(record(&world, &connection(true)).await, 1);
    world.settle().await;
    assert_eq!(world.channel.delivered().len(), 2);

    // `expired` says why there is no connection: losing it again is no news.
    world.numbers_are("expired").await;
    assert_eq!(record(&world, &connection(false)).await, 0);
    assert_eq!(world.column("select whatsapp_status from account").await, ["expired"]);
}

#[tokio::test]
async fn an_older_export_keeps_a_payment_and_updates_other_fields() {
    let mut world = world().await;
    // The payment is older than the row's own age: the shop's books are behind those of the bank.
    world.now = time("2026-11-30T12:00:00Z");
    let event = paid(&world, "r1", "2026-11-30T06:00:00Z").await;
    assert_eq!(record(&world, &[event]).await, 1);
    let row = |name: &str, updated_at: &str| {
        format!("{HEADER},updated_at\nr1,a1,{name},671000001,CM,2026-11-20T10:00:00Z,,{updated_at}\n")
    };
    let state = "select name || ' ' || coalesce(paid_at::text, 'unpaid') from referral where id = 1";

    world.now = time("2026-12-01T03:00:00Z");
    import_referrals(&world, "2026-12-01T02:00:00Z", &row("Older", "2026-11-30T11:59:59Z")).await;
    assert_eq!(world.column(state).await, ["Older 2026-11-30 06:00:00+00"]);
    import_referrals(&world, "2026-12-01T02:00:00Z", &row("Silent", "")).await;
    assert_eq!(world.column(state).await, ["Silent 2026-11-30 06:00:00+00"]);
    // By its own word it knows better: the money went back.
    import_referrals(&world, "2026-12-01T03:00:00Z", &row("Younger", "2026-12-01T02:30:00Z")).await;
    assert_eq!(world.column(state).await, ["Younger unpaid"]);
}

#[tokio::test]
async fn an_older_export_keeps_newer_account_facts() {
    let mut world = world().await;
    let a1 = account(&world, "a1").await;
    let events = [
        FactEvent::SubscriptionEnds { account: a1, at: Some(time("2027-06-30T00:00:00Z")) },
        FactEvent::Connection { account: a1, connected: false },
    ];
    assert_eq!(record(&world, &events).await, 1 + 1);
    world.now += TimeDelta::hours(10);
    let file = |name: &str| {
        format!(
            "id,name,timezone,subscription_ends_at,whatsapp_status\n\
             a1,{name},Africa/Douala,2026-12-31T00:00:00Z,connected\n"
        )
    };
    let state = "select concat_ws(' ', name, subscription_ends_at::date, whatsapp_status) from account";
    import_accounts(&world, "2026-11-30T07:59:59Z", &file("Older")).await;
    assert_eq!(world.column(state).await, ["Older 2027-06-30 disconnected"]);
    import_accounts(&world, "2026-11-30T08:00:01Z", &file("Younger")).await;
    assert_eq!(world.column(state).await, ["Younger 2026-12-31 connected"]);
}

/// What a payment leaves behind for those who live by the facts.
const LEFT: &str = "select concat_ws(' ', external_id, paid_at, is_current) from referral
    union all select concat_ws(' ', 'run', enroll_at, check_at) from run
    union all select concat_ws(' ', 'lane', wake_at) from lane
    union all select 'facts ' || facts from facts_generation order by 1";

#[tokio::test]
async fn a_fact_event_has_the_same_effect_as_an_import() {
    let (mut told, mut imported) = (world().await, world().await);
    for world in [&mut told, &mut imported] {
        // An earlier registration of the person r2, whose payment counts for the later one too.
        let early = "r0,a1,Paul,671000002,CM,2026-11-01T10:00:00Z,";
        import_referrals(world, MONDAY, &format!("{HEADER}\n{early}\n")).await;
        world.run_for(TimeDelta::hours(30)).await;
    }
    let at = "2026-12-01T13:00:00Z";
    let events = [paid(&told, "r0", at).await, paid(&told, "r1", at).await];
    assert_eq!(record(&told, &events).await, 2);
    let file = format!(
        "{HEADER}\nr0,a1,Paul,671000002,CM,2026-11-01T10:00:00Z,{at}\nr1,a1,Paul,671000001,CM,2026-11-20T10:00:00Z,{at}\n"
    );
    import_referrals(&imported, at, &file).await;
    assert_eq!(told.column(LEFT).await, imported.column(LEFT).await);
    for world in [&mut told, &mut imported] {
        world.run_for(TimeDelta::days(2)).await;
    }
    assert_eq!(told.targets().await, imported.targets().await);
    assert_eq!(told.targets().await, ["r1 welcome exited paid day 2", "r2 welcome exited paid day 2"]);
}

#[tokio::test]
async fn thousands_of_payments_are_recorded_in_one_call() {
    let world = World::at(MONDAY).await;
    for account in ["a1", "a2", "a3"] {
        world.account(account).await;
    }
    world
        .sql(
            "insert into referral (account_id, external_id, name, phone, country, registered_at, as_of, is_current)
             select 1 + n % 3, 'r' || n, 'Paul', '+2376' || 71000000 + n, 'CM', '2026-11-20Z', '2026-11-20Z', true
             from generate_series(1, 6000) n",
        )
        .await;
    let ids: Vec<String> = (1..=6_000).map(|n| format!("r{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let found = world.store().find_referrals(&ids).await.unwrap();
    let mut events: Vec<FactEvent> = Vec::new();
    for (place, id) in ids.iter().enumerate() {
        let at = world.now - TimeDelta::seconds(i64::try_from(place).unwrap());
        events.push(FactEvent::Paid { account: found[*id].account, referral: found[*id].referral, at });
    }
    assert_eq!(record(&world, &events).await, 6_000);
    assert_eq!(world.count("referral where paid_at is not null").await, 6_000);
    assert_eq!(world.store().facts_generation().await.unwrap(), 1);
}

/// Two rows of one person, who registered before the payments of these tests, in two spellings.
const TWO_ROWS: &str = "id,account_id,name,phone,country,registered_at,paid_at,consent\n\
                        r8,a1,Paul,+237671000008,CM,2026-11-20T10:00:00Z,,opted_in\n\
                        r9,a1,Paul,671 00 00 08,CM,2026-11-21T10:00:00Z,,opted_in\n";

async fn payers(world: &World) -> Vec<String> {
    world.column("select external_id from referral where paid_at is not null order by 1").await
}

#[tokio::test]
async fn a_payment_of_an_older_row_stops_the_messages_of_the_person() {
    let mut world = world().await;
    import_referrals(&world, MONDAY, TWO_ROWS).await;
    world.run_for(TimeDelta::hours(30)).await;
    let sent = world.channel.delivered().len();
    assert_eq!(sent, 3, "one message for each person");
    assert_eq!(record(&world, &[paid(&world, "r8", "2026-12-01T13:00:00Z").await]).await, 1);
    assert_eq!(payers(&world).await, ["r8", "r9"]);
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.channel.delivered().len(), sent + 2, "the other two got their second day");
}

#[tokio::test]
async fn a_payment_in_an_export_counts_for_every_row_that_registered_before_it() {
    let world = world().await;
    import_referrals(&world, MONDAY, TWO_ROWS).await;
    let paid = "r8,a1,Paul,+237671000008,CM,2026-11-20T10:00:00Z,2026-11-25T10:00:00Z\n";
    import_referrals(&world, MONDAY, &format!("{HEADER}\n{paid}")).await;
    assert_eq!(payers(&world).await, ["r8", "r9"]);
    // A row that an export adds later.
    import_referrals(&world, MONDAY, &format!("{HEADER}\nr7,a1,Paul,00237671000008,CM,2026-11-22T10:00:00Z,\n")).await;
    assert_eq!(payers(&world).await, ["r7", "r8", "r9"]);
    // A row of another account, and a registration after the payment, are not paid.
    world.account("a2").await;
    import_referrals(
        &world,
        MONDAY,
        &format!(
            "{HEADER}\nr6,a1,Paul,+237671000008,CM,2026-11-26T10:00:00Z,\n\
                  r5,a2,Paul,+237671000008,CM,2026-11-20T10:00:00Z,\n"
        ),
    )
    .await;
    assert_eq!(payers(&world).await, ["r7", "r8", "r9"]);
}

#[tokio::test]
async fn a_younger_export_that_takes_a_payment_back_keeps_that_of_another_row() {
    let world = world().await;
    let rows = |paid_8: &str, at: &str| {
        format!(
            "id,account_id,name,phone,country,registered_at,paid_at,updated_at\n\
             r8,a1,Paul,+237671000008,CM,2026-11-20T10:00:00Z,{paid_8},{at}\n\
             r9,a1,Paul,671000008,CM,2026-11-21T10:00:00Z,,{at}\n"
        )
    };
    import_referrals(&world, MONDAY, &rows("2026-11-25T10:00:00Z", "2026-11-26T10:00:00Z")).await;
    assert_eq!(payers(&world).await, ["r8", "r9"]);
    import_referrals(&world, MONDAY, &rows("2026-11-25T10:00:00Z", "2026-11-27T10:00:00Z")).await;
    assert_eq!(payers(&world).await, ["r8", "r9"]);
}
