//! Everybody who writes at once waits for somebody at times, and never for somebody who waits for them.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use chrono::TimeDelta;
use relance::channel::{Outcome, Reaction, Refusal};
use relance::core::domain::{AccountId, CampaignId, MessageKey, Phone, ReferralId, TargetKey, Timestamp};
use relance::store::{InboundMessage, Listed, Receipt, ReceiptStatus, Senders, Store, Via};
use sqlx::Acquire;
use tokio::sync::Barrier;

use crate::support::facts::Person;
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::World;

const SANDBOX: &str = "---\napiVersion: relance/v1\nkind: Channel\nmetadata: {name: wa}\nspec: {type: sandbox}\n";
const ACCOUNTS: usize = 4;
const PEOPLE: usize = 25;
const ROUNDS: usize = PEOPLE;

fn digits(person: usize) -> String {
    format!("237671{person:06}")
}

fn phone(person: usize) -> Phone {
    Phone::trusted(format!("+{}", digits(person)))
}

/// Every account knows everybody and has written to them; of half of the messages nobody knows what became of them.
async fn world() -> World {
    let mut world = World::at("2026-11-30T08:00:00Z").await;
    let mut yaml = tree(2, NO_PACE, &[("c", ALWAYS)]);
    for account in 1..=ACCOUNTS {
        let name = format!("a{account}");
        world.account(&name).await;
        yaml += &format!(
            "---\napiVersion: relance/v1\nkind: Account\nmetadata: {{name: {name}}}\n\
             spec: {{accounts: {{names: [{name}]}}, sender: '{account}'}}\n"
        );
        for person in 0..PEOPLE {
            let (id, phone) = (format!("{name}-{person}"), phone(person));
            world.person(Person { account: &name, ..Person::new(&id, phone.as_str()) }).await;
        }
    }
    world.apply(&yaml).await;
    world.run_for(TimeDelta::days(1)).await;
    world.sql("update message set provider_id = null").await;
    world.sql("update message set state = 'sending', sent_at = null where (account_id + referral_id) % 2 = 0").await;
    // A lease a round, of some messages of every account, those of the last account first.
    world
        .sql(&format!(
            "insert into lease (until, account_ids, campaign_ids, referral_ids, days)
             select timestamptz '2026-12-02Z' + (referral_id % {ROUNDS}) * interval '1 minute',
                    array_agg(account_id order by account_id desc), array_agg(campaign_id order by account_id desc),
                    array_agg(referral_id order by account_id desc), array_agg(day order by account_id desc)
             from message where state = 'sending' group by referral_id % {ROUNDS}"
        ))
        .await;
    world
}

/// What the provider tells in a round of everybody's message of an account, half of it that they failed, in an order of
/// this round.
fn receipts(round: usize, at: Timestamp) -> Vec<Receipt> {
    let account = round % ACCOUNTS;
    let receipt = |place: usize| {
        let person = (place * 7 + round) % PEOPLE;
        let referral = ReferralId(i64::try_from(account * PEOPLE + person + 1).unwrap());
        let account = AccountId(i32::try_from(account + 1).unwrap());
        let key = MessageKey { target: TargetKey { account, campaign: CampaignId(1), referral }, day: 1 };
        let refusal = Refusal { error: "131026".to_owned(), reaction: Reaction::Leave };
        let status = if person.is_multiple_of(2) { ReceiptStatus::Failed(refusal) } else { ReceiptStatus::Delivered };
        let (provider_id, recipient) = (Some(format!("wamid.{}.{}", account.0, referral.0)), vec![user(round, person)]);
        Receipt { provider_id, recipient, ..Receipt::new(key, status, at) }
    };
    (0..PEOPLE).map(receipt).collect()
}

/// As the provider calls somebody in a round, and in no other.
fn user(round: usize, person: usize) -> String {
    format!("user-{round}-{person}")
}

/// What everybody writes to all accounts in a round.
fn incoming(round: usize, at: Timestamp) -> Vec<InboundMessage> {
    let words = [["hello", "STOP"], ["bonjour", "START"], ["hi", "hello"]][round % 3];
    let one = |n: usize| {
        let (person, account) = (n / ACCOUNTS, n % ACCOUNTS + 1);
        InboundMessage {
            id: format!("in-{round}-{n}"),
            channel: "wa".to_owned(),
            number: Some(account.to_string()),
            phone: Some(digits(person)),
            user: Some(user(round, person)),
            context: None,
            text: words[n % 2].to_owned(),
            via: Via::Message,
            undoes: None,
            at,
        }
    };
    (0..PEOPLE * ACCOUNTS).map(one).collect()
}

/// Does this in every round, when all others do what they do. Returns what went wrong.
fn race<T, E: Debug + Send + 'static>(
    start: &Arc<Barrier>,
    store: &Store,
    verb: impl AsyncFn(&Store, usize) -> Result<T, E> + Send + 'static,
) -> std::thread::JoinHandle<Vec<E>> {
    let (start, store, runtime) = (Arc::clone(start), store.clone(), tokio::runtime::Handle::current());
    std::thread::spawn(move || {
        runtime.block_on(async {
            let mut failed = Vec::new();
            for round in 0..ROUNDS {
                start.wait().await;
                failed.extend(verb(&store, round).await.err());
            }
            failed
        })
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_writers_never_deadlock() {
    let world = world().await;
    let now = world.now;
    let policies = world.store().in_force().await.unwrap().desired.policies();
    let senders: Senders = world.store().senders(&policies).await.unwrap();
    let store = world.store();
    let start = Arc::new(Barrier::new(5));
    let racing = vec![
        race(&start, store, async move |store, round| store.receipts(&receipts(round, now), now).await),
        race(&start, store, async move |store, round| store.hear(&incoming(round, now), &senders, now).await),
        race(&start, store, async move |store, round| store.forget(&phone(round), "a letter", now).await),
        race(&start, store, async move |store, round| {
            let after = TimeDelta::days(1) + TimeDelta::minutes(i64::try_from(round).unwrap());
            store.expire_leases(now + after).await
        }),
        race(&start, store, async move |store, round| {
            let phones: BTreeSet<Phone> = (0..PEOPLE).filter(|person| person % 3 != round % 3).map(phone).collect();
            store.suppress(&phones, Listed::ByProvider, Some("131050"), now).await?;
            store.unsuppress(&phones, "they asked", now).await
        }),
    ];
    let failed =
        tokio::task::spawn_blocking(|| racing.into_iter().flat_map(|one| one.join().unwrap()).collect::<Vec<_>>());
    let failed = failed.await.unwrap();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(world.one::<i64>("select deadlocks from pg_stat_database where datname = current_database()").await, 0);
    // They did what they were to do.
    assert_eq!(world.count("lease").await, 0);
    assert_eq!(world.count("referral where erased_at is null").await, 0);
    assert_eq!(world.count("message where state in ('sending', 'sent')").await, 0);
}

#[tokio::test]
async fn lane_locks_are_taken_before_message_locks() {
    let mut world = World::at("2026-11-30T08:00:00Z").await;
    world.account("a1").await;
    world.person(Person::new("r1", phone(1).as_str())).await;
    world.apply(&tree(2, NO_PACE, &[("c", ALWAYS)])).await;
    world.run_for(TimeDelta::hours(1)).await;
    world.sql("update message set state = 'sending', sent_at = null").await;
    world.sql("insert into lease values (default, '2026-11-30Z', '{1}', '{1}', '{1}', '{1}')").await;
    // Somebody notes that a message failed.
    let mut other = world.pool().acquire().await.unwrap();
    let mut tx = other.begin().await.unwrap();
    sqlx::query("select from lane for update").execute(&mut *tx).await.unwrap();
    let (store, now) = (world.store().clone(), world.now);
    let expiring = tokio::spawn(async move { store.expire_leases(now).await });
    while !expiring.is_finished() && world.waiting_for_locks().await < 1 {
        tokio::task::yield_now().await;
    }
    sqlx::query("select from message for update nowait").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(expiring.await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn message_locks_are_taken_before_channel_restrictions() {
    let mut world = World::at("2026-11-30T08:00:00Z").await;
    for n in 1..=2 {
        let account = format!("a{n}");
        world.account(&account).await;
        world.person(Person { account: &account, ..Person::new(&account, phone(n).as_str()) }).await;
    }
    world.apply(&(tree(2, NO_PACE, &[("c", &format!("{ALWAYS}, channelRef: wa"))]) + SANDBOX)).await;
    world.settle().await;
    world.now += TimeDelta::minutes(1);
    let mut claimed = world.claim_of(4).await.messages;
    claimed.sort_by_key(|message| message.key);
    let refused = Outcome::refused("190: no token", Reaction::PauseChannel);
    let outcomes: Vec<_> = claimed.into_iter().zip([refused, Outcome::accepted("1".to_owned())]).collect();
    // Somebody notes that the other message failed as well, for the same reason.
    let mut tx = world.pool().begin().await.unwrap();
    sqlx::query("select from message where account_id = 2 for update").execute(&mut *tx).await.unwrap();
    let (store, now) = (world.store().clone(), world.now);
    let saving = tokio::spawn(async move { store.save_outcomes(&outcomes, now).await });
    while !saving.is_finished() && world.waiting_for_locks().await < 1 {
        tokio::task::yield_now().await;
    }
    sqlx::query("set local lock_timeout = '1s'").execute(&mut *tx).await.unwrap();
    sqlx::query("insert into channel_halt values ('wa', '{}', '2026-11-30Z', '2026-12-01Z', 1) on conflict (channel) do nothing")
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    saving.await.unwrap().unwrap();
    assert_eq!(world.column("select state from message order by account_id").await, ["queued", "sent"]);
}
