//! Delivery: retries, pauses that a receiver asks for, missing secrets, dead processes.

use std::fs;

use chrono::TimeDelta;
use relance::core::lifecycle::notification::Notification;

use super::{Team, notifier, texts};
use crate::support::daemon;
use crate::support::daemon::{Daemon, folder, import, until};
use crate::support::database::database;
use crate::support::receiver::{Answer, Receiver};
use crate::support::trees::{ALWAYS, NO_PACE, tree};

#[tokio::test]
async fn a_refused_notification_is_retried_over_restarts_with_one_id() {
    let (mut team, receiver) = (Team::new().await, Receiver::start());
    let url = team.secret("url", &receiver.url());
    let ops = notifier("ops", "webhook", &url, ", events: [run-started]");
    receiver.answer(&[Answer::Status(500), Answer::Status(302)]);
    team.apply("active", &ops).await;
    assert_eq!(team.tick_in(TimeDelta::zero()).await, 0, "it may go on for a moment");
    assert_eq!(team.tick_in(TimeDelta::seconds(2)).await, 1);
    assert_eq!(team.tick_in(TimeDelta::seconds(9)).await, 0);
    team.restart();
    assert_eq!(team.tick_in(TimeDelta::seconds(1)).await, 1);
    let error = "select error from notification";
    assert_eq!(team.world.column(error).await, ["answered 302 Found"]);
    assert_eq!(team.tick_in(TimeDelta::seconds(19)).await, 0);
    assert_eq!(team.tick_in(TimeDelta::seconds(1)).await, 1);
    assert_eq!(team.tick_in(TimeDelta::days(1)).await, 0);
    let requests = receiver.take();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.headers["relance-id"] == requests[0].headers["relance-id"]));
    assert!(requests.iter().all(|request| request.body == requests[0].body));
}

/// Slack switches off those who go on beyond its limit.
#[tokio::test]
async fn a_receiver_that_asks_for_a_pause_gets_nothing_before_its_end() {
    let (mut team, receiver) = (Team::new().await, Receiver::start());
    let url = team.secret("url", &receiver.url());
    let later = "date: Mon, 30 Nov 2026 08:00:00 GMT\r\nretry-after: Mon, 30 Nov 2026 08:30:00 GMT";
    receiver.answer(&[Answer::Says(429, "retry-after: 3600", ""), Answer::Says(503, later, "")]);
    team.apply("active", &notifier("team", "slack", &url, ", events: [run-started, import]")).await;
    team.tick_in(TimeDelta::zero()).await;
    assert_eq!(team.tick_in(TimeDelta::seconds(2)).await, 1);
    assert_eq!(texts(&receiver.take()), ["winter started for 3 accounts: enrolling and sending"]);
    // Something else happens, and waits as well.
    team.imported("2 read").await;
    for _ in 0..59 {
        team.tick_in(TimeDelta::minutes(1)).await;
        assert_eq!(receiver.take().len(), 0);
    }
    team.tick_in(TimeDelta::minutes(1)).await;
    let first = receiver.take().len();
    team.tick_in(TimeDelta::minutes(29)).await;
    assert_eq!((first > 0, receiver.take().len()), (true, 0), "the second answer asks for half an hour more");
    team.tick_in(TimeDelta::minutes(1)).await;
    team.tick_in(TimeDelta::minutes(1)).await;
    assert!(!receiver.take().is_empty());
    assert_eq!(team.world.column("select error from notification where delivered_at is null").await, [""; 0]);
}

#[tokio::test]
async fn an_answer_that_names_the_secret_path_is_not_stored() {
    let (mut team, receiver) = (Team::new().await, Receiver::start());
    let url = team.secret("url", &receiver.url());
    receiver.answer(&[Answer::Duplicate; 64]);
    team.apply("active", &notifier("ops", "webhook", &url, ", events: [run-started]")).await;
    team.tell().await;
    assert_eq!(team.world.column("select error from notification").await, ["answered 404 Not Found"]);
    team.tick_in(TimeDelta::days(1)).await;
    assert_eq!(receiver.take().len(), 2);
    let given_up = team.world.sentences("select detail from event where kind = 'notification-given-up'").await;
    assert!(given_up[0].ends_with("after 2 attempts: answered 404 Not Found"), "{given_up:?}");
}

#[tokio::test]
async fn notifications_of_a_dead_process_go_to_one_other_process() {
    let (mut team, receiver) = (Team::new().await, Receiver::start());
    let url = team.secret("url", &receiver.url());
    team.apply("active", &notifier("ops", "slack", &url, "")).await;
    team.world.store().collect_notifications(team.world.now).await.unwrap();
    let now = team.world.now + TimeDelta::seconds(2);
    let (store, until) = (team.world.store(), now + TimeDelta::seconds(60));
    let (one, other) = tokio::join!(store.claim_notifications(now, until), store.claim_notifications(now, until));
    let [one, other] = [one.unwrap(), other.unwrap()];
    assert_eq!(one.len() + other.len(), 2);
    let ids = |notices: &[Notification]| notices.iter().map(|notice| notice.uid.clone()).collect::<Vec<_>>();
    let mut taken = [ids(&one), ids(&other)].concat();
    assert_eq!(team.tick_in(TimeDelta::seconds(61)).await, 0);
    assert_eq!(team.tick_in(TimeDelta::seconds(1)).await, 2);
    let mut told: Vec<String> = receiver.take().iter().map(|r| r.headers["relance-id"].clone()).collect();
    taken.sort();
    told.sort();
    assert_eq!(told, taken);
}

#[tokio::test]
async fn slack_gets_a_text_of_the_events_that_it_asked_for() {
    let (mut team, receiver) = (Team::new().await, Receiver::start());
    let url = team.secret("url", &receiver.url());
    let slack = notifier("team", "slack", &url, ", events: [run-resumed, manifest-frozen]");
    team.apply("paused", &slack).await;
    team.apply("active", &slack).await;
    team.tell().await;
    let requests = receiver.take();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].body, r#"{"text":"winter resumed for 3 accounts: enrolling and sending"}"#);
    assert!(!requests[0].headers.contains_key("relance-signature"));
    // One whose manifest is gone is told nothing, not even what waited.
    team.apply("paused", &slack).await;
    team.apply("active", &slack).await;
    team.tick_in(TimeDelta::minutes(11)).await;
    team.apply("active", "").await;
    team.tell().await;
    assert_eq!(receiver.take().len(), 0);
}

#[tokio::test]
async fn a_notification_without_its_secret_is_given_up_after_a_day() {
    let (mut team, receiver) = (Team::new().await, Receiver::start());
    let url = team.dir.path().join("later").to_str().unwrap().to_owned();
    let ops = notifier("ops", "webhook", &url, ", events: [run-started, run-paused]")
        + &notifier("env", "webhook", &url, ", events: [import]").replace("fromFile: '", "fromEnv: 'RELANCE_TEST_NONE");
    team.apply("active", &ops).await;
    team.tell().await;
    let error = team.world.column("select error from notification").await;
    assert_eq!(error.len(), 1);
    assert!(error[0].starts_with("cannot read the file `") && error[0].contains("later"), "{error:?}");
    team.secret("later", &format!("{}\n", receiver.url()));
    while team.tick_in(TimeDelta::seconds(10)).await == 0 {}
    assert_eq!(receiver.take().len(), 1);

    fs::remove_file(&url).unwrap();
    team.apply("paused", &ops).await;
    team.world.sql("insert into event (account_id, at, kind, detail) values (0, '2026-11-30Z', 'import', '{}')").await;
    team.tell().await;
    let environment = "select error from notification where notifier = 'env'";
    assert!(team.world.one::<String>(environment).await.ends_with("of the environment is not set"));
    for _ in 0..26 {
        team.tick_in(TimeDelta::hours(1)).await;
    }
    let given_up =
        team.world.sentences("select detail from event where kind = 'notification-given-up' order by id").await;
    assert_eq!(given_up.len(), 2);
    assert!(
        given_up.iter().any(|text| text.starts_with("gave up telling `ops` of run-paused (paused in its manifest"))
    );
    let due = team.world.count("notification where due_at is not null").await;
    assert_eq!(due, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_never_answers_delays_no_other() {
    let (dir, db) = (folder(), database().await);
    let (silent, awake) = (Receiver::start(), Receiver::start());
    silent.answer(&[Answer::Silence; 64]);
    let campaigns = dir.path().join("campaigns");
    fs::create_dir(&campaigns).unwrap();
    fs::write(dir.path().join("silent"), silent.url()).unwrap();
    let silent_url = dir.path().join("silent");
    let yaml = tree(2, NO_PACE, &[("winter", ALWAYS)])
        + &notifier("silent", "webhook", silent_url.to_str().unwrap(), "")
        + &notifier("awake", "slack", "AWAKE_URL", "").replace("fromFile", "fromEnv");
    fs::write(campaigns.join("tree.yaml"), yaml).unwrap();
    let url = db.url();
    import(dir.path(), Some(&url), 1, 3);
    let mut command = daemon::relancectl(dir.path(), Some(&url), &["run"]);
    command.env("AWAKE_URL", awake.url());
    let daemon = Daemon::of(command, dir.path());
    until(&db.pool, &daemon, "select count(*) > 0 from notification where notifier = 'silent' and attempts > 0").await;
    assert!(silent.take().len() < 2 + 2);
    // While it waits for an answer, an edit takes effect, people are enrolled and written to, and others are told.
    until(&db.pool, &daemon, "select count(*) = 3 from message where state = 'sent'").await;
    let delivered = "select count(*) > 0 from notification where notifier = 'awake' and delivered_at is not null";
    until(&db.pool, &daemon, delivered).await;
    fs::write(campaigns.join("tree.yaml"), tree(1, NO_PACE, &[("winter", ALWAYS)])).unwrap();
    until(&db.pool, &daemon, "select count(*) = 2 from revision").await;
    assert!(!awake.take().is_empty());
    assert!(daemon.log().contains("applied a new revision"));
}
