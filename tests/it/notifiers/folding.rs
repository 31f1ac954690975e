//! Events of many accounts in one notification, and repeats that are folded.

use chrono::TimeDelta;
use hmac::{Hmac, KeyInit, Mac};
use relance::store::Store;
use sha2::Sha256;

use super::{KEY, Team, notifier, texts};
use crate::support::receiver::Receiver;

#[tokio::test]
async fn one_signed_notification_tells_of_many_accounts_and_folds_repeats() {
    let (mut team, receiver) = (Team::new().await, Receiver::start());
    let (url, key) = (team.secret("url", &receiver.url()), team.secret("key", &format!("{KEY}\n")));
    let ops = notifier("ops", "webhook", &url, &format!(", secret: {{fromFile: '{key}'}}"));
    team.apply("active", &ops).await;
    team.tell().await;
    let first = receiver.take();
    assert_eq!(
        texts(&first),
        ["applied revision 1: 4 created", "winter started for 3 accounts: enrolling and sending"]
    );
    for request in &first {
        let signed = format!("{}.{}", request.headers["relance-timestamp"], request.body);
        let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
        mac.update(signed.as_bytes());
        let bytes = mac.finalize().into_bytes();
        let hex = bytes.iter().fold("v1=".to_owned(), |hex, byte| hex + &format!("{byte:02x}"));
        assert_eq!(request.headers["relance-signature"], hex);
        assert_eq!(request.headers["relance-id"], request.json()["id"].as_str().unwrap());
        assert_eq!(request.headers["content-type"], "application/json");
    }
    assert_ne!(first[0].headers["relance-id"], first[1].headers["relance-id"]);

    team.apply("paused", &ops).await;
    team.tell().await;
    let paused = receiver.take();
    assert_eq!(paused.len(), 2);
    let told = texts(&paused);
    assert_eq!(told[1], "winter paused for 3 accounts: paused in its manifest");
    // Within ten minutes the same is counted; who resumes is not asked for.
    for _ in 0..2 {
        team.apply("active", &ops).await;
        team.apply("paused", &ops).await;
        team.tell().await;
    }
    let more = texts(&receiver.take());
    assert!(more.len() == 4 && more.iter().all(|text| text.starts_with("applied revision")), "{more:?}");
    team.apply("active", &ops).await;
    team.world.now += TimeDelta::minutes(10);
    team.apply("paused", &ops).await;
    team.tell().await;
    let late = texts(&receiver.take());
    assert_eq!(late.last().unwrap(), &format!("{} (9 times since this was last told)", told[1]));
}

#[tokio::test]
async fn folded_events_are_told_when_their_time_is_over() {
    let (mut team, receiver) = (Team::new().await, Receiver::start());
    let url = team.secret("url", &receiver.url());
    team.apply("active", &notifier("ops", "webhook", &url, ", events: [run-paused]")).await;
    let paused = |accounts: &str, words: &str| format!("winter paused for {accounts}: {words}");
    let again = |accounts: &str, words: &str| paused(accounts, words) + " (since this was last told)";
    team.pause(&["a1"], "first").await;
    team.tell().await;
    assert_eq!(texts(&receiver.take()), [paused("account a1", "first")]);
    // Five minutes later the same in another account.
    assert_eq!(team.tick_in(TimeDelta::minutes(5)).await, 0);
    team.pause(&["a2"], "second").await;
    team.tell().await;
    team.tick_in(TimeDelta::minutes(4)).await;
    assert_eq!(receiver.take().len(), 0);
    assert_eq!(team.tick_in(TimeDelta::minutes(1)).await, 1);
    let closing = receiver.take();
    assert_eq!(texts(&closing), [again("account a2", "second")]);
    assert_eq!((&closing[0].json()["events"], &closing[0].json()["folded"]), (&1.into(), &1.into()));
    // That began the next ten minutes, in which accounts come in batches, one of them twice.
    team.pause(&["a1", "a2"], "third").await;
    team.tell().await;
    team.pause(&["a2", "a3"], "fourth").await;
    team.tick_in(TimeDelta::minutes(9)).await;
    assert_eq!(receiver.take().len(), 0);
    team.tick_in(TimeDelta::minutes(1)).await;
    assert_eq!(texts(&receiver.take()), [paused("3 accounts", "fourth") + " (4 times since this was last told)"]);
    // And nothing is told that did not happen.
    for _ in 0..3 {
        assert_eq!(team.tick_in(TimeDelta::minutes(10)).await, 0);
    }
    team.pause(&["a1"], "fifth").await;
    team.tell().await;
    assert_eq!(texts(&receiver.take()), [paused("account a1", "fifth")]);
}

/// Batches that come after the notice went out are told too, every account of them.
#[tokio::test]
async fn notifications_count_every_account_of_a_batched_pause() {
    let (mut team, receiver) = (Team::new().await, Receiver::start());
    let url = team.secret("url", &receiver.url());
    team.apply("active", &notifier("ops", "webhook", &url, ", events: [run-paused]")).await;
    let accounts: Vec<String> = (0..40).map(|number| format!("b{number:02}")).collect();
    for account in &accounts {
        team.world.account(account).await;
    }
    for batch in accounts.chunks(4) {
        team.pause(&batch.iter().map(String::as_str).collect::<Vec<_>>(), "over").await;
        team.tick_in(TimeDelta::seconds(1)).await;
    }
    team.tick_in(TimeDelta::minutes(11)).await;
    let told = receiver.take();
    let count = |key: &str| told.iter().map(|request| request.json()[key].as_i64().unwrap()).sum::<i64>();
    assert_eq!((told.len(), count("accounts"), count("events")), (2, 40, 40));
}

/// The database comes from a cluster that had counted more transactions than this one ever will.
#[tokio::test]
async fn a_copy_in_another_cluster_tells_only_of_later_events() {
    let (mut team, receiver) = (Team::new().await, Receiver::start());
    let url = team.secret("url", &receiver.url());
    let ops = notifier("ops", "webhook", &url, ", events: [run-started, run-paused]");
    team.apply("active", &ops).await;
    team.tell().await;
    assert_eq!(receiver.take().len(), 1);
    let at_home = team.world.column("select xid::text from event order by id").await;
    Store::open(&team.world.url(), 1).await.unwrap();
    assert_eq!(team.world.column("select xid::text from event order by id").await, at_home);

    team.world.sql("update event set xid = '4000000000000'").await;
    team.world.sql("update notifier set cursor = '4000000000000:4000000000009:4000000000003'").await;
    Store::open(&team.world.url(), 1).await.unwrap();
    team.world.now += TimeDelta::hours(1);
    team.tell().await;
    assert_eq!(receiver.take().len(), 0);
    team.apply("paused", &ops).await;
    team.tell().await;
    assert_eq!(texts(&receiver.take()), ["winter paused for 3 accounts: paused in its manifest"]);
}

/// Each event becomes part of exactly one notification, in whatever order transactions end and however many collect.
#[tokio::test]
async fn no_event_is_skipped_or_counted_twice() {
    let (mut team, receiver) = (Team::new().await, Receiver::start());
    let url = team.secret("url", &receiver.url());
    team.apply("active", &notifier("ops", "webhook", &url, ", events: [import]")).await;
    let (store, now) = (team.world.store().clone(), team.world.now);
    let mut open = Vec::new();
    for round in 0..40_i64 {
        let mut tx = team.world.pool().begin().await.unwrap();
        for _ in 0..2 {
            sqlx::query("insert into event (account_id, at, kind, detail) values (0, $1, 'import', '{}')")
                .bind(now)
                .execute(&mut *tx)
                .await
                .unwrap();
        }
        open.push(tx);
        // Three are under way at any time, and those in the middle end first.
        if open.len() > 2 {
            open.remove(1).commit().await.unwrap();
        }
        let (one, other) = tokio::join!(store.collect_notifications(now), store.collect_notifications(now));
        one.and(other).unwrap();
        store.collect_notifications(now).await.unwrap();
        let told: i64 = team.world.one("select coalesce(sum(events), 0)::bigint from notification").await;
        assert_eq!(told, 2 * (round - 1).max(0));
    }
}
