//! People are told what happened: once, signed, until they have it, and nothing else waits for them.

use std::cmp::Reverse;
use std::fs;

use chrono::TimeDelta;
use hmac::{Hmac, KeyInit, Mac};
use relance::channel::notify::Courier;
use relance::channel::outgoing::Outgoing;
use relance::core::lifecycle::detail::Detail;
use relance::core::lifecycle::notification::{Delivery, Notification};
use relance::daemon::{Reported, deliver};
use relance::store::{Speed, Store};
use sha2::Sha256;
use sqlx::types::Json;
use sqlx::{PgPool, Postgres, Transaction};
use tempfile::TempDir;

use crate::support::daemon;
use crate::support::daemon::{Daemon, folder, import, until};
use crate::support::database::database;
use crate::support::receiver::{Answer, Receiver, Request};
use crate::support::rows::waiting_for_locks;
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::World;

const MONDAY: &str = "2026-11-30T08:00:00Z";
const KEY: &str = "a key of the team";

/// A folder with the secrets of notifiers, and receivers for them.
struct Team {
    world: World,
    dir: TempDir,
    courier: Courier,
}

impl Team {
    /// Three accounts with nobody in them.
    async fn new() -> Self {
        let world = World::at(MONDAY).await;
        for account in ["a1", "a2", "a3"] {
            world.account(account).await;
        }
        Self { world, dir: folder(), courier: courier() }
    }

    /// The path of a new file.
    fn secret(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Applies campaigns of a state beside `notifiers`.
    async fn apply(&mut self, state: &str, notifiers: &str) {
        let spec = format!("state: {state}, enrollment: continuous");
        self.world.apply(&(tree(2, NO_PACE, &[("winter", &spec)]) + notifiers)).await;
        self.world.settle().await;
    }

    /// The campaign pauses in these accounts, in the words of one moment.
    async fn pause(&self, accounts: &[&str], words: &str) {
        sqlx::query(
            "insert into event (account_id, campaign_id, at, kind, before, after, reason, detail, revision_id)
             select a.id, c.id, $1, 'run-phase', 'active', 'paused', 'subscription-expired', $2, 1
             from account a, campaign c where a.external_id = any($3)",
        )
        .bind(self.world.now)
        .bind(Json(Detail::Refused { text: words.to_owned() }))
        .bind(accounts)
        .execute(self.world.pool())
        .await
        .unwrap();
    }

    /// A file was imported.
    async fn imported(&self, words: &str) {
        sqlx::query("insert into event (account_id, at, kind, detail) values (0, $1, 'import', $2)")
            .bind(self.world.now)
            .bind(Json(Detail::Refused { text: words.to_owned() }))
            .execute(self.world.pool())
            .await
            .unwrap();
    }

    /// One tick, so long after now.
    async fn tick_in(&mut self, time: TimeDelta) -> usize {
        self.world.now += time;
        let at = (self.world.now, Speed(1.0));
        deliver(self.world.store(), &self.courier, &mut Reported::default(), at).await.unwrap()
    }

    /// Ticks until all that is settled by then is told.
    async fn tell(&mut self) {
        self.tick_in(TimeDelta::zero()).await;
        while self.tick_in(TimeDelta::seconds(2)).await > 0 {}
    }

    /// The process dies and another comes.
    fn restart(&mut self) {
        self.courier = courier();
        self.world.restart();
    }
}

fn courier() -> Courier {
    Courier::new(Outgoing::new())
}

fn notifier(name: &str, kind: &str, url: &str, rest: &str) -> String {
    format!(
        "---\napiVersion: relance/v1\nkind: Notifier\nmetadata: {{name: {name}}}\nspec: {{type: {kind}, url: {{fromFile: '{url}'}}{rest}}}\n"
    )
}

fn texts(requests: &[Request]) -> Vec<String> {
    let mut texts: Vec<String> =
        requests.iter().map(|request| request.json()["text"].as_str().unwrap().to_owned()).collect();
    texts.sort();
    texts
}

#[tokio::test]
async fn what_happens_to_many_accounts_is_one_notice_signed_and_repeats_are_folded() {
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
async fn what_is_folded_is_told_when_its_time_is_over_though_nothing_follows() {
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
async fn a_pause_in_many_batches_is_told_of_every_account() {
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
async fn in_another_cluster_what_happens_next_is_told_and_nothing_before() {
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

/// Whoever settles notices, counts what is alike or forgets a notifier locks the first row before any other.
#[tokio::test]
async fn rows_of_notifications_are_locked_in_their_order() {
    let (mut team, receiver) = (Team::new().await, Receiver::start());
    let url = team.secret("url", &receiver.url());
    team.apply("active", &notifier("ops", "webhook", &url, ", events: [import]")).await;
    let (store, pool, now) = (team.world.store().clone(), team.world.pool().clone(), team.world.now);
    // By what is alike, and in the table, they stand the other way round.
    for word in ["c", "b", "a"] {
        team.imported(word).await;
        store.collect_notifications(now).await.unwrap();
    }
    let later = now + TimeDelta::seconds(2);
    let mut taken = store.claim_notifications(later, later + TimeDelta::minutes(1)).await.unwrap();
    taken.sort_by_key(|notice| Reverse(notice.id));
    let settled: Vec<_> = taken.into_iter().map(|notice| (notice, Delivery::Done)).collect();
    let ids: Vec<i64> = settled.iter().rev().map(|(notice, _)| notice.id).collect();

    turn_round(&pool, &ids).await;
    let first = hold(&pool, ids[0]).await;
    let (settle, ()) =
        tokio::join!(store.settle_notifications(&settled, later), only_the_first_is_waited_for(first, &pool, &ids));
    settle.unwrap();

    for word in ["a", "b", "c"] {
        team.imported(word).await;
    }
    team.world.sql("update notification set attempts = 0").await;
    turn_round(&pool, &ids).await;
    let first = hold(&pool, ids[0]).await;
    let (collect, ()) =
        tokio::join!(store.collect_notifications(later), only_the_first_is_waited_for(first, &pool, &ids));
    collect.unwrap();
    assert_eq!(team.world.column("select events::text from notification").await, ["2", "2", "2"]);

    turn_round(&pool, &ids).await;
    let first = hold(&pool, ids[0]).await;
    tokio::join!(team.apply("active", ""), only_the_first_is_waited_for(first, &pool, &ids));
    assert_eq!(team.world.count("notification").await, 0);
}

/// Has the table hold these notifications in the opposite order.
async fn turn_round(pool: &PgPool, ids: &[i64]) {
    for id in ids.iter().rev() {
        let touch = "update notification set events = events where id = $1";
        sqlx::query(touch).bind(id).execute(pool).await.unwrap();
    }
}

/// Locks a notification.
async fn hold(pool: &PgPool, id: i64) -> Transaction<'static, Postgres> {
    let mut holder = pool.begin().await.unwrap();
    let lock = "select from notification where id = $1 for update";
    sqlx::query(lock).bind(id).execute(&mut *holder).await.unwrap();
    holder
}

/// Holds the first row until somebody waits for it, who must have none of the others by then.
async fn only_the_first_is_waited_for(holder: Transaction<'static, Postgres>, pool: &PgPool, ids: &[i64]) {
    let mut looks = 0;
    while waiting_for_locks(pool).await == 0 {
        looks += 1;
        assert!(looks < 20_000, "nobody waits");
    }
    let rest = "select id from notification where id = any($1) order by id for update nowait";
    let free: Result<Vec<i64>, _> = sqlx::query_scalar(rest).bind(&ids[1..]).fetch_all(pool).await;
    assert_eq!(free.unwrap(), ids[1..]);
    holder.rollback().await.unwrap();
}

#[tokio::test]
async fn what_is_not_taken_is_tried_again_over_restarts_with_one_id() {
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
async fn a_receiver_that_says_when_gets_nothing_before_not_even_other_news() {
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
async fn an_answer_that_names_the_secret_path_is_not_kept() {
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
async fn what_a_dead_process_had_taken_goes_to_another_and_to_no_two_at_once() {
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
async fn slack_gets_a_text_and_only_what_was_asked_for() {
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
async fn a_missing_secret_is_waited_for_and_given_up_after_a_day() {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_never_answers_holds_up_nobody() {
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
