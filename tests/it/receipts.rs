//! Receipts: late, doubled, out of order, before the outcome or instead of it, they only ever add to what is known.

use chrono::TimeDelta;
use relance::channel::{Outcome, Reaction, Refusal};
use relance::core::domain::{AccountId, CampaignId, MessageKey, ReferralId, TargetKey, Timestamp};
use relance::store::query::Wanted;
use relance::store::{Claim, Receipt, ReceiptStatus};

use crate::accidents::tree;
use crate::support::facts::Person;
use crate::support::world::{Fault, World};

const MONDAY: &str = "2026-11-30T08:00:00Z";
const PHONE: &str = "+237671000001";

/// Two people of one account in a campaign of two days.
async fn world() -> World {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    world.person(Person::new("r1", PHONE)).await;
    world.person(Person::new("r2", "+237671000002")).await;
    world.apply(&tree("")).await;
    world
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn key(referral: i64, day: i16) -> MessageKey {
    let target = TargetKey { account: AccountId(1), campaign: CampaignId(1), referral: ReferralId(referral) };
    MessageKey { target, day }
}

fn receipt(referral: i64, day: i16, status: ReceiptStatus, at: Timestamp) -> Receipt {
    Receipt::new(key(referral, day), status, at)
}

fn taken(referral: i64, day: i16, at: Timestamp) -> Receipt {
    receipt(referral, day, ReceiptStatus::Sent, at)
}

fn delivered(referral: i64, day: i16, at: Timestamp) -> Receipt {
    receipt(referral, day, ReceiptStatus::Delivered, at)
}

fn read(referral: i64, day: i16, at: Timestamp) -> Receipt {
    receipt(referral, day, ReceiptStatus::Read, at)
}

fn failed(referral: i64, day: i16, at: Timestamp) -> Receipt {
    let refusal = Refusal { error: "131026".to_owned(), reaction: Reaction::Leave };
    receipt(referral, day, ReceiptStatus::Failed(refusal), at)
}

async fn note(world: &World, receipts: &[Receipt]) -> u64 {
    world.store().receipts(receipts, world.now).await.unwrap()
}

/// Day 1 of `r1`: everything that receipts change.
async fn ledger(world: &World) -> String {
    world
        .one(
            "select concat_ws(' ', state, 'sent', to_char(sent_at at time zone 'utc', 'HH24:MI'),
                              'delivered', to_char(delivered_at at time zone 'utc', 'HH24:MI'),
                              'read', to_char(read_at at time zone 'utc', 'HH24:MI'), error)
             from message where referral_id = 1 and day = 1",
        )
        .await
}

async fn save(world: &World, claim: Claim, outcome: &Outcome) {
    let outcomes: Vec<_> = claim.messages.into_iter().map(|message| (message, outcome.clone())).collect();
    world.store().save_outcomes(&outcomes, world.now).await.unwrap();
}

fn busy() -> Outcome {
    Outcome::refused("busy", Reaction::Retry { after: None })
}

#[tokio::test]
async fn receipts_move_a_message_forward_and_are_counted() {
    let mut world = world().await;
    world.run_for(TimeDelta::hours(7)).await;
    assert_eq!(ledger(&world).await, "sent sent 14:00 delivered read");
    let at = |minute: i64| time("2026-11-30T14:00:00Z") + TimeDelta::minutes(minute);
    assert_eq!(note(&world, &[delivered(1, 1, at(1)), delivered(2, 1, at(2))]).await, 2);
    assert_eq!(ledger(&world).await, "delivered sent 14:00 delivered 14:01 read");
    assert_eq!(note(&world, &[read(1, 1, at(3))]).await, 1);
    assert_eq!(ledger(&world).await, "read sent 14:00 delivered 14:01 read 14:03");
    let counts = world.store().runs(&Wanted::default()).await.unwrap()[0].counts;
    assert_eq!((counts.sent, counts.delivered, counts.read), (2, 2, 1));
    // Nobody's day depends on it.
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.targets().await, ["r1 welcome completed day 2", "r2 welcome completed day 2"]);
}

#[tokio::test]
async fn a_receipt_without_progress_changes_nothing() {
    let mut world = world().await;
    world.run_for(TimeDelta::hours(7)).await;
    let (at, later) = (time("2026-11-30T14:01:00Z"), time("2026-11-30T14:05:00Z"));
    // Read, and nobody said before that it was delivered.
    assert_eq!(note(&world, &[read(1, 1, at)]).await, 1);
    assert_eq!(ledger(&world).await, "read sent 14:00 delivered 14:01 read 14:01");
    let row = "select xmin::text from message where referral_id = 1";
    let before = world.column(row).await;
    for late in [read(1, 1, later), delivered(1, 1, later), delivered(1, 1, at), taken(1, 1, later)] {
        assert_eq!(note(&world, &[late.clone(), late]).await, 0);
    }
    // Day 2 was never handed over, and 77 is nobody.
    assert_eq!(note(&world, &[delivered(1, 2, at), delivered(77, 1, at)]).await, 0);
    assert_eq!(note(&world, &[]).await, 0);
    assert_eq!(world.column(row).await, before);
    // A failure contradicts it: what was read stays read, and the failure is recorded once.
    assert_eq!(note(&world, &[failed(1, 1, later)]).await, 1);
    assert_eq!(note(&world, &[failed(1, 1, later)]).await, 0);
    assert_eq!(ledger(&world).await, "read sent 14:00 delivered 14:01 read 14:01");
    assert_eq!(world.targets().await[0], "r1 welcome active day 2");
}

#[tokio::test]
async fn a_late_failure_after_delivered_or_read_changes_nothing() {
    let health = "select concat_ws(' ', handed, failed, throttled_until) from lane";
    for arrival in [delivered as fn(i64, i16, Timestamp) -> Receipt, read] {
        for in_one_batch in [false, true] {
            let mut world = world().await;
            world.run_for(TimeDelta::hours(7)).await;
            let at = time("2026-11-30T14:01:00Z");
            let (arrived, failed) = (arrival(1, 1, at), failed(1, 1, at));
            if in_one_batch {
                note(&world, &[failed, arrived]).await;
            } else {
                note(&world, &[arrived]).await;
                note(&world, &[failed]).await;
            }
            let row = ledger(&world).await;
            assert!(!row.contains("131026") && !row.starts_with("failed"), "{row}");
            assert_eq!(world.column(health).await, ["2 0"]);
            world.run_for(TimeDelta::days(2)).await;
            assert_eq!(world.targets().await[0], "r1 welcome completed day 2");
        }
    }
}

#[tokio::test]
async fn a_failure_receipt_counts_until_a_delivery_receipt() {
    let mut world = world().await;
    world.run_for(TimeDelta::hours(7)).await;
    let at = time("2026-11-30T14:01:00Z");
    assert_eq!(note(&world, &[failed(1, 1, at)]).await, 1);
    assert_eq!(ledger(&world).await, "failed sent 14:00 delivered read 131026");
    assert_eq!(world.targets().await[0], "r1 welcome exited undeliverable day 2");
    // It arrived all the same. The person has left by then and does not come back.
    assert_eq!(note(&world, &[delivered(1, 1, at)]).await, 1);
    assert_eq!(ledger(&world).await, "delivered sent 14:00 delivered 14:01 read");
    assert_eq!(world.targets().await[0], "r1 welcome exited undeliverable day 2");
    assert_eq!(note(&world, &[read(1, 1, time("2026-11-30T14:03:00Z"))]).await, 1);
    assert_eq!(ledger(&world).await, "read sent 14:00 delivered 14:01 read 14:03");
    // It left the house: its quota stays taken.
    assert_eq!(world.wrong_counters().await, 0);
    assert_eq!(world.taken().await.0, 2);
}

#[tokio::test]
async fn a_receipt_resolves_an_uncertain_message() {
    for (receipt, after, sent) in [
        (taken as fn(i64, i16, Timestamp) -> Receipt, "sent sent 14:01 delivered read", 4),
        (delivered, "delivered sent 14:01 delivered 14:01 read", 4),
        (read, "read sent 14:01 delivered 14:01 read 14:01", 4),
        // Whoever cannot be reached gets no second day.
        (failed, "failed sent delivered read 131026", 3),
    ] {
        let mut world = world().await;
        world.channel.fail(PHONE, &[Fault::NoAnswer]);
        world.run_for(TimeDelta::hours(7)).await;
        assert_eq!(ledger(&world).await, "uncertain sent delivered read no answer");
        assert_eq!(note(&world, &[receipt(1, 1, time("2026-11-30T14:01:00Z"))]).await, 1);
        assert_eq!(ledger(&world).await, after);
        world.run_for(TimeDelta::days(2)).await;
        assert_eq!(world.channel.delivered().len(), sent);
        assert_eq!(world.wrong_counters().await, 0);
    }
}

#[tokio::test]
async fn a_receipt_from_the_future_counts_as_of_now() {
    let mut world = world().await;
    world.run_for(TimeDelta::hours(7)).await;
    note(&world, &[delivered(1, 1, time("2027-01-01T00:00:00Z"))]).await;
    assert_eq!(ledger(&world).await, "delivered sent 14:00 delivered 15:00 read");
    // And nothing happened to it before it was taken in hand.
    note(&world, &[read(1, 1, time("1970-01-01T00:00:00Z"))]).await;
    assert_eq!(ledger(&world).await, "read sent 14:00 delivered 14:00 read 14:00");
}

#[tokio::test]
async fn a_receipt_with_another_provider_id_is_ignored() {
    let called = |receipt: Receipt, id: &str| Receipt { provider_id: Some(id.to_owned()), ..receipt };
    let mut world = world().await;
    world.channel.fail(PHONE, &[Fault::NoAnswer]);
    world.run_for(TimeDelta::hours(7)).await;
    let name = "select coalesce(provider_id, '-') from message where referral_id = 1 and day = 1";
    assert_eq!(world.one::<String>(name).await, "-");
    let at = time("2026-11-30T14:01:00Z");
    // Nobody knows what it is called: the first to say so is believed.
    assert_eq!(note(&world, &[called(taken(1, 1, at), "ours"), called(read(1, 1, at), "theirs")]).await, 1);
    assert_eq!(ledger(&world).await, "sent sent 14:01 delivered read");
    assert_eq!(world.one::<String>(name).await, "ours");
    assert_eq!(note(&world, &[called(failed(1, 1, at), "theirs")]).await, 0);
    assert_eq!(ledger(&world).await, "sent sent 14:01 delivered read");
    // Only of ours it is remembered whose it is.
    let known = world.store().called(&["ours", "theirs"]).await.unwrap();
    assert_eq!(known.into_iter().collect::<Vec<_>>(), [("ours".to_owned(), key(1, 1))]);
    assert_eq!(note(&world, &[called(delivered(1, 1, at), "ours")]).await, 1);
    assert_eq!(ledger(&world).await, "delivered sent 14:01 delivered 14:01 read");
}

#[tokio::test]
async fn a_send_outcome_completes_an_earlier_receipt() {
    let mut world = world().await;
    world.run_for(TimeDelta::hours(5)).await;
    world.now += TimeDelta::hours(2);
    let claim = world.claim(1_000).await;
    assert_eq!(note(&world, &[delivered(1, 1, world.now), failed(2, 1, world.now)]).await, 2);
    save(&world, claim, &Outcome::accepted("wamid".to_owned())).await;
    assert_eq!(ledger(&world).await, "delivered sent 15:00 delivered 15:00 read");
    let other: Vec<String> =
        world.column("select concat_ws(' ', state, error, provider_id) from message order by 1").await;
    assert_eq!(other, ["delivered wamid", "failed 131026 wamid"]);
    assert_eq!(world.count("lease").await, 0);
    world.run_for(TimeDelta::days(2)).await;
    assert_eq!(world.runs().await, ["welcome a1 completed drained"]);
    assert_eq!(world.wrong_counters().await, 0);
}

/// A world in which the last day of both has been claimed.
async fn on_the_last_day() -> (World, Claim) {
    let mut world = world().await;
    world.run_for(TimeDelta::hours(29)).await;
    world.now += TimeDelta::hours(2);
    let claim = world.claim(1_000).await;
    assert_eq!(claim.messages.len(), 2);
    assert!(claim.messages.iter().all(|message| message.last && message.key.day == 2));
    (world, claim)
}

#[tokio::test]
async fn a_crash_after_a_receipt_strands_no_target() {
    let (mut world, _) = on_the_last_day().await;
    note(&world, &[delivered(1, 2, world.now)]).await;
    world.run_for(TimeDelta::hours(1)).await;
    assert_eq!(world.messages().await[1], "r1 welcome day 2 delivered attempt 1");
    assert_eq!(world.messages().await[3], "r2 welcome day 2 uncertain attempt 1");
    assert_eq!(world.targets().await, ["r1 welcome completed day 2", "r2 welcome completed day 2"]);
    assert_eq!(world.runs().await, ["welcome a1 completed drained"]);
}

#[tokio::test]
async fn a_contradicting_receipt_causes_no_resend_and_strands_no_target() {
    let no_number = || Outcome::refused("no such number", Reaction::Leave);
    for (receipt, outcome, target) in [
        (delivered as fn(i64, i16, Timestamp) -> Receipt, busy(), "r1 welcome completed day 2"),
        (delivered, no_number(), "r1 welcome exited undeliverable day 2"),
        (taken, busy(), "r1 welcome completed day 2"),
        (taken, no_number(), "r1 welcome exited undeliverable day 2"),
    ] {
        let (mut world, claim) = on_the_last_day().await;
        note(&world, &[receipt(1, 2, world.now), failed(2, 2, world.now)]).await;
        let after = world.messages().await[1].clone();
        save(&world, claim, &outcome).await;
        assert_eq!(world.wrong_counters().await, 0);
        world.run_for(TimeDelta::minutes(30)).await;
        assert_eq!(world.channel.delivered().len(), 2, "only day 1 went by the channel");
        assert_eq!(world.messages().await[1], after);
        assert_eq!(world.targets().await[0], target);
        assert_eq!(world.runs().await, ["welcome a1 completed drained"]);
    }
}

/// The finaliser of splitmix64.
fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[tokio::test]
async fn receipts_give_the_same_result_in_any_order_and_batches() {
    const PEOPLE: u64 = 60;
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    for n in 1..=PEOPLE {
        world.person(Person::new(&format!("r{n}"), &format!("+237671{n:06}"))).await;
    }
    world.apply(&tree("")).await;
    world.run_for(TimeDelta::hours(7)).await;
    let at = world.now - TimeDelta::minutes(1);
    let (mut heard, mut expected) = (Vec::new(), Vec::new());
    for n in 1..=PEOPLE {
        let referral = i64::try_from(n).unwrap();
        // Which of the three were meant, each of them up to three times.
        let meant = 1 + mix(n) % 15;
        let all = [taken(referral, 1, at), failed(referral, 1, at), delivered(referral, 1, at), read(referral, 1, at)];
        for (bit, receipt) in all.into_iter().enumerate() {
            if meant & (1 << bit) > 0 {
                let times = usize::try_from(1 + mix(n * 31 + meant) % 3).unwrap();
                heard.extend(vec![receipt; times]);
            }
        }
        expected.push(["sent", "failed", "delivered", "read"][usize::try_from(meant.ilog2()).unwrap()]);
    }
    let mut order: Vec<u64> = (0..u64::try_from(heard.len()).unwrap()).collect();
    order.sort_by_key(|place| mix(*place ^ 0xabcd));
    let shuffled: Vec<Receipt> = order.iter().map(|place| heard[usize::try_from(*place).unwrap()].clone()).collect();
    for batch in shuffled.chunks(7) {
        note(&world, batch).await;
    }
    assert_eq!(world.column("select state from message order by referral_id").await, expected);
    assert_eq!(
        world
            .one::<i64>(
                "select count(*) from message
                 where state in ('delivered', 'read') and (error is not null or delivered_at is null)"
            )
            .await,
        0
    );
}
