//! Lanes side by side: caps that hold to the message however many processes race for them, and a slow answer that holds up
//! nobody else.

use chrono::TimeDelta;
use relance::core::domain::Timestamp;
use relance::store::Speed;

use crate::support::daemon::{Daemon, folder, import, put, until};
use crate::support::database::database;
use crate::support::rows::{count, one};
use crate::support::trees::{ALWAYS, NO_PACE, tree};

const ACCOUNTS: usize = 100;
const PEOPLE: usize = 40;
const MONDAY: &str = "2026-11-30T08:00:00Z";

/// Of two campaigns for everybody the first may write 18 messages a day and the account 25: the second gets what is left.
fn caps() -> String {
    let campaign = |priority| format!("{ALWAYS}, priority: {priority}, limits: {{messagesPerDay: 18}}");
    let defaults = format!("{NO_PACE}, limits: {{messagesPerDay: 25}}");
    tree(7, &defaults, &[("first", &campaign(1)), ("second", &campaign(2))])
}

#[tokio::test]
async fn eight_racing_processes_meet_every_cap_exactly() {
    let (dir, db) = (folder(), database().await);
    let monday: Timestamp = MONDAY.parse().unwrap();
    db.store.set_clock(monday, Speed(1.0)).await.unwrap();
    let url = db.url();
    import(dir.path(), Some(&url), ACCOUNTS, PEOPLE);
    put(dir.path(), &caps());
    let roles = |n| if n == 0 { "reconcile,enroll,send" } else { "send" };
    let daemons: Vec<Daemon> =
        (0..8).map(|n| Daemon::start(dir.path(), Some(&url), &["run", "--roles", roles(n)])).collect();
    for day in 1..=2 {
        // Nobody is under a cap, as there is work for all: and then nothing is left to do before tomorrow.
        let (first, second) = (18 * ACCOUNTS * day, 7 * ACCOUNTS * day);
        let met = format!(
            "select count(*) filter (where c.name = 'first') = {first} and count(*) filter (where c.name = 'second') = {second}
             from message m join campaign c on c.id = m.campaign_id where m.state = 'sent'"
        );
        until(&db.pool, &daemons[0], &met).await;
        until(
            &db.pool,
            &daemons[0],
            "select count(*) = 0 from lane where wake_at <= (select shown from clock) + interval '1 h'",
        )
        .await;
        let counted = "select a.external_id, c.name, m.quota_date, count(*) as n from message m
                       join account a on a.id = m.account_id join campaign c on c.id = m.campaign_id group by 1, 2, 3";
        let groups = format!("select count(*) from ({counted}) g where n = case name when 'first' then 18 else 7 end");
        let others = format!("select count(*) from ({counted}) g where n <> case name when 'first' then 18 else 7 end");
        assert_eq!(one::<i64>(&db.pool, &groups).await, i64::try_from(2 * ACCOUNTS * day).unwrap());
        assert_eq!(one::<i64>(&db.pool, &others).await, 0);
        let twice = "select count(*) from (select from message group by account_id, referral_id, quota_date having count(*) > 1) t";
        assert_eq!(one::<i64>(&db.pool, twice).await, 0);
        let tomorrow = monday + TimeDelta::days(i64::try_from(day).unwrap());
        db.store.set_clock(tomorrow, Speed(1.0)).await.unwrap();
    }
    let left = count(&db.pool, "sandbox_message").await;
    let keys = "select count(distinct (account_id, campaign_id, referral_id, day)) from sandbox_message";
    assert_eq!(one::<i64>(&db.pool, keys).await, left);
    let at_work = daemons.iter().filter(|daemon| daemon.log().contains("messages=")).count();
    assert!(at_work >= 4, "the race was none: {at_work} of 8 sent anything");
    for daemon in daemons {
        assert!(!daemon.log().contains("ERROR"), "{}", daemon.log());
        assert_eq!(daemon.stop().0.code(), Some(0));
    }
}

#[tokio::test]
async fn a_slow_answer_delays_only_its_own_lane() {
    let (dir, db) = (folder(), database().await);
    db.store.set_clock(MONDAY.parse().unwrap(), Speed(1.0)).await.unwrap();
    let url = db.url();
    import(dir.path(), Some(&url), 3, 30);
    let slow = "---
apiVersion: relance/v1
kind: Channel
metadata: {name: slow}
spec: {type: sandbox, latency: 15s}
---
apiVersion: relance/v1
kind: Account
metadata: {name: a1}
spec: {accounts: {names: [a1]}, channelRef: slow}
";
    put(dir.path(), &(tree(2, "pacing: {every: 1s, jitter: 0s}", &[("c", ALWAYS)]) + slow));
    let daemon = Daemon::start(dir.path(), Some(&url), &["run"]);
    let of_slow = "account_id = (select id from account where external_id = 'a1')";
    until(&db.pool, &daemon, &format!("select exists (select from message where {of_slow})")).await;
    // Three slots later the others have gone on, and the slow lane has not claimed more than it can hand over.
    let others = format!("select count(*) >= 8 from message where not {of_slow} and state = 'sent'");
    until(&db.pool, &daemon, &others).await;
    let on_its_way = format!("select coalesce(string_agg(state, ' '), 'nothing') from message where {of_slow}");
    assert_eq!(one::<String>(&db.pool, &on_its_way).await, "sending");
    // Who stops waits for it: nothing is uncertain.
    assert_eq!(daemon.stop().0.code(), Some(0));
    assert_eq!(one::<String>(&db.pool, &on_its_way).await, "sent");
    assert_eq!(count(&db.pool, "message where state <> 'sent'").await, 0);
}
