//! The daemon as its users meet it: a process beside files that change, told to stop or killed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use relance::store::Speed;
use sqlx::PgPool;
use tempfile::TempDir;

use crate::support::daemon::{Daemon, Private, folder, import, relancectl, text, until, until_logged};
use crate::support::database::{TestDatabase, database};
use crate::support::rows::{count, execute, one};
use crate::support::trees::{ALWAYS, NO_PACE, tree};

/// A database where it is Monday, with people who are written to all day long: about six messages a second.
async fn flow(dir: &Path) -> (TestDatabase, String) {
    let db = database().await;
    db.store.set_clock("2026-11-30T08:00:00Z".parse().unwrap(), Speed(1.0)).await.unwrap();
    let url = db.url();
    import(dir, Some(&url), 1, 2_000);
    (db, url)
}

fn slow(campaigns: &[(&str, &str)], text: &str) -> String {
    tree(3, "pacing: {every: 1m, jitter: 0s}", campaigns).replace("Jour ", text)
}

/// Waits until a message that was begun after now says this.
async fn says(pool: &PgPool, daemon: &Daemon, words: &str) -> Duration {
    until(pool, daemon, &format!("select exists (select from message where text like '{words}%')")).await
}

/// Waits until some more messages have left.
async fn goes_on(pool: &PgPool, daemon: &Daemon) {
    let so_far = count(pool, "message").await;
    until(pool, daemon, &format!("select count(*) > {so_far} + 3 from message")).await;
}

#[tokio::test]
async fn edits_take_effect_and_file_accidents_do_not() {
    let dir = folder();
    let (db, url) = flow(dir.path()).await;
    let manifests = dir.path().join("campaigns");
    fs::create_dir(&manifests).unwrap();
    let file = manifests.join("tree.yaml");
    fs::write(&file, slow(&[("c", ALWAYS)], "Un ")).unwrap();
    let daemon = Daemon::start(dir.path(), Some(&url), &["run", "--speed", "600"]);
    says(&db.pool, &daemon, "Un").await;

    // An edit: a revision, and from then on the new words.
    fs::write(&file, slow(&[("c", ALWAYS)], "Deux ")).unwrap();
    let took = says(&db.pool, &daemon, "Deux").await;
    assert!(took < Duration::from_secs(5), "an edit took {took:?}");
    goes_on(&db.pool, &daemon).await;
    assert_eq!(count(&db.pool, "revision").await, 2);
    let wrong = "select count(*) from message where (revision_id = 2) <> (text like 'Deux%')";
    assert_eq!(one::<i64>(&db.pool, wrong).await, 0);
    // What was claimed while the revision was being written may still be the old one: within a second of real time.
    let late = "select count(*) from message m join revision r on r.id = 2
                where m.queued_at > r.accepted_at + interval '600 seconds' and m.revision_id <> 2";
    assert_eq!(one::<i64>(&db.pool, late).await, 0);

    // A broken file: said, and not followed.
    fs::write(&file, slow(&[("c", ALWAYS)], "Trois ").replace("fallbackLanguage", "fallbackLangage")).unwrap();
    until_logged(&daemon, "fallbackLangage");
    until_logged(&daemon, "what is in force stays");
    goes_on(&db.pool, &daemon).await;
    assert_eq!(count(&db.pool, "revision").await, 2);
    assert_eq!(one::<i64>(&db.pool, wrong).await, 0);

    // Everything gone: nothing is cancelled.
    let kept = dir.path().join("kept");
    fs::rename(&manifests, &kept).unwrap();
    until_logged(&daemon, "there is no `campaigns`");
    goes_on(&db.pool, &daemon).await;
    // An empty folder is no better.
    fs::create_dir(&manifests).unwrap();
    until_logged(&daemon, "an empty tree is taken for an outage");
    goes_on(&db.pool, &daemon).await;
    assert_eq!(count(&db.pool, "run where phase = 'active'").await, 1);

    // It comes back with other words.
    fs::write(&file, slow(&[("c", ALWAYS)], "Quatre ")).unwrap();
    let took = says(&db.pool, &daemon, "Quatre").await;
    assert!(took < Duration::from_secs(5), "coming back took {took:?}");

    let (status, _) = daemon.stop();
    assert_eq!(status.code(), Some(0));
    assert_eq!(count(&db.pool, "lease").await, 0);
}

#[tokio::test]
async fn a_daemon_follows_folders_swapped_by_symlink() {
    let dir = folder();
    let (db, url) = flow(dir.path()).await;
    let at = |name: &str| dir.path().join(name);
    // A mounted ConfigMap …
    let generation = |name: &str, words: &str| {
        fs::create_dir_all(at(name)).unwrap();
        fs::write(at(name).join("tree.yaml"), slow(&[("c", ALWAYS)], words)).unwrap();
    };
    generation("v1/..2026_11_30", "Un ");
    symlink("..2026_11_30", at("v1/..data")).unwrap();
    symlink("..data/tree.yaml", at("v1/tree.yaml")).unwrap();
    // … behind a link as git-sync keeps one.
    symlink("v1", at("current")).unwrap();
    let daemon = Daemon::start(dir.path(), Some(&url), &["run", "--speed", "600", "--dir", "current"]);
    says(&db.pool, &daemon, "Un").await;

    for (round, words) in ["Deux ", "Trois "].iter().enumerate() {
        let next = format!("..2026_12_{round:02}");
        generation(&format!("v1/{next}"), words);
        symlink(&next, at("v1/..data_tmp")).unwrap();
        fs::rename(at("v1/..data_tmp"), at("v1/..data")).unwrap();
        let took = says(&db.pool, &daemon, words).await;
        assert!(took < Duration::from_secs(5), "a swap inside took {took:?}");
    }
    for (version, words) in [("v2", "Quatre "), ("v3", "Cinq ")] {
        generation(version, words);
        symlink(version, at("next")).unwrap();
        fs::rename(at("next"), at("current")).unwrap();
        let took = says(&db.pool, &daemon, words).await;
        assert!(took < Duration::from_secs(5), "a swap of the folder took {took:?}");
    }
    assert_eq!(daemon.stop().0.code(), Some(0));
}

#[tokio::test]
async fn two_daemons_share_the_work_without_double_sends() {
    let dir = folder();
    let db = database().await;
    db.store.set_clock("2026-11-30T08:00:00Z".parse().unwrap(), Speed(1.0)).await.unwrap();
    let url = db.url();
    import(dir.path(), Some(&url), 6, 150);
    fs::create_dir(dir.path().join("campaigns")).unwrap();
    fs::write(
        dir.path().join("campaigns/tree.yaml"),
        tree(2, NO_PACE, &[("c", &format!("{ALWAYS}, limits: {{messagesPerDay: 100}}"))]),
    )
    .unwrap();
    let first = Daemon::start(dir.path(), Some(&url), &["run", "--speed", "20000"]);
    let second = Daemon::start(dir.path(), Some(&url), &["run"]);
    until(&db.pool, &first, "select count(*) = 6 and bool_and(phase = 'completed') from run").await;
    assert_eq!(count(&db.pool, "sandbox_message").await, 6 * 150 * 2);
    let keys = "select count(distinct (account_id, campaign_id, referral_id, day)) from sandbox_message";
    assert_eq!(one::<i64>(&db.pool, keys).await, 6 * 150 * 2);
    let over = "select count(*) from (select from message group by account_id, quota_date having count(*) > 100) o";
    assert_eq!(one::<i64>(&db.pool, over).await, 0);
    assert_eq!(count(&db.pool, "revision").await, 1);
    for daemon in [first, second] {
        assert!(!daemon.log().contains("ERROR"), "{}", daemon.log());
        assert_eq!(daemon.stop().0.code(), Some(0));
    }
}

/// A folder with a copy of what the repository shows.
fn samples() -> TempDir {
    let dir = folder();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["campaigns", "templates", "samples"] {
        fs::create_dir(dir.path().join(name)).unwrap();
        for file in fs::read_dir(root.join(name)).unwrap() {
            let file = file.unwrap();
            // Tests of the tree are no part of what it does.
            if file.file_type().unwrap().is_dir() {
                continue;
            }
            fs::copy(file.path(), dir.path().join(name).join(file.file_name())).unwrap();
        }
    }
    dir
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_follows_edits_and_never_deletes_real_data() {
    let dir = samples();
    let private = Private::of(dir.path());
    let demo = Daemon::start(dir.path(), None, &["run", "--demo"]);
    until_logged(&demo, "running");
    let server = private.server();
    let pool = Private::pool(&server);
    until(&pool, &demo, "select count(*) > 5 from message where day = 1 and state = 'sent'").await;

    let template = dir.path().join("templates/welcome-7-days.yaml");
    let words = fs::read_to_string(&template).unwrap();
    fs::write(
        &template,
        words.replace(
            "parameters: ['{{ name }}', '{{ referrerName }}']}\n      text:\n        fr: |-\n",
            "parameters: ['{{ name }}', '{{ referrerName }}']}\n      text:\n        fr: |-\n          NOUVEAU.\n",
        ),
    )
    .unwrap();
    until(&pool, &demo, "select count(*) = 2 from revision").await;
    until(&pool, &demo, "select exists (select from message where day = 2 and language = 'fr')").await;
    assert_eq!(
        one::<i64>(
            &pool,
            "select count(*) from message where day = 2 and language = 'fr' and text not like 'NOUVEAU.%'"
        )
        .await,
        0
    );
    assert_eq!(count(&pool, "message where day = 2 and revision_id <> 2").await, 0);
    assert_eq!(count(&pool, "message m join account a on a.id = m.account_id join referral r on (r.account_id, r.id) = (m.account_id, m.referral_id) where r.paid_at is not null or r.consent is distinct from 'opted_in'").await, 0);
    assert_eq!(demo.stop().0.code(), Some(0));
    pool.close().await;

    // The same people by the whole way to WhatsApp and back: receipts come in, and tell of calls that were cut too.
    let demo = Daemon::start(dir.path(), None, &["run", "--demo=whatsapp"]);
    until_logged(&demo, "running");
    let pool = Private::pool(&server);
    until(&pool, &demo, "select count(*) filter (where state = 'read') > 5 from message").await;
    let by_whatsapp = "select bool_and(provider_id like 'wamid.%') from message where state in ('delivered', 'read')";
    assert!(one::<bool>(&pool, by_whatsapp).await);
    assert_eq!(count(&pool, "sandbox_message").await, 0);
    assert_eq!(demo.stop().0.code(), Some(0));
    pool.close().await;

    // A third demo begins anew.
    let demo = Daemon::start(dir.path(), None, &["run", "--demo"]);
    until_logged(&demo, "running");
    assert_eq!(demo.stop().0.code(), Some(0));

    // Nobody's real members come to live by the clock of a demo.
    for command in [&["run"] as &[&str], &["import", "accounts", "samples/accounts.csv"]] {
        let refused = relancectl(dir.path(), None, command).output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
        assert!(text(&refused).contains("what a demo left"), "{}", text(&refused));
    }

    // Without the mark of a demo the same members are real data.
    let pool = Private::pool(&server);
    execute(&pool, "comment on database relance is null").await;
    pool.close().await;
    let refused = relancectl(dir.path(), None, &["run", "--demo"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("holds real data"), "{}", text(&refused));
    let pool = Private::pool(&server);
    assert!(one::<bool>(&pool, "select exists (select from account)").await);
    pool.close().await;
}
