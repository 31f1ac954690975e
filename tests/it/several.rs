//! Several daemons on one database: one reconciles, and whoever did before writes nothing any more.

use std::fs;
use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use relance::daemon::reconcile::{By, Error, Outcome, Pass, reconcile};
use relance::source;
use relance::store::{Holder, Speed, Store, Token};
use sqlx::PgPool;

use crate::support::daemon::{folder, import, put};
use crate::support::database::database;
use crate::support::rows::{execute, one};
use crate::support::trees::{ALWAYS, NO_PACE, tree};

fn holder(host: &str) -> Holder {
    Holder { host: host.to_owned(), pid: 7 }
}

/// Lets the lease run out without waiting for it.
async fn run_out(pool: &PgPool) {
    execute(pool, "update reconciler set until = clock_timestamp() - interval '1 second'").await;
}

#[tokio::test]
async fn one_daemon_holds_the_lease_and_tokens_never_repeat() {
    let db = database().await;
    let (store, (a, b)) = (&db.store, (holder("a"), holder("b")));
    assert_eq!(store.reconciler().await.unwrap(), None);
    let first = store.take_over(&a).await.unwrap().unwrap();
    assert_eq!(store.take_over(&b).await.unwrap(), None);
    assert_eq!(store.reconciler().await.unwrap(), Some(a.clone()));
    // However fast the clock of this database runs, the lease is one of real time.
    let (now, _) = store.now().await.unwrap();
    store.set_clock(now + TimeDelta::days(30), Speed(100_000.0)).await.unwrap();
    assert_eq!(store.take_over(&b).await.unwrap(), None);
    assert!(store.renew(first).await.unwrap());

    // Given back, it is free at once.
    store.step_down(first).await.unwrap();
    assert!(!store.renew(first).await.unwrap());
    let second = store.take_over(&b).await.unwrap().unwrap();
    assert!(second > first);
    // Who had it before has no say in it.
    assert!(!store.renew(first).await.unwrap());
    store.step_down(first).await.unwrap();
    assert_eq!(store.reconciler().await.unwrap(), Some(b.clone()));

    // Over, it goes on as long as nobody takes it.
    run_out(&db.pool).await;
    assert_eq!(store.reconciler().await.unwrap(), None);
    assert!(store.renew(second).await.unwrap());
    assert_eq!(store.take_over(&a).await.unwrap(), None);
    run_out(&db.pool).await;
    let third = store.take_over(&a).await.unwrap().unwrap();
    assert!(third > second);
    assert!(!store.renew(second).await.unwrap());

    // Who is in the middle of a plan is not waited for, and keeps it.
    run_out(&db.pool).await;
    let mut busy = db.pool.begin().await.unwrap();
    sqlx::query("select from reconciler for update").execute(&mut *busy).await.unwrap();
    let tried = tokio::time::timeout(Duration::from_secs(20), store.take_over(&b)).await;
    assert_eq!(tried.expect("it waits").unwrap(), None);
    busy.rollback().await.unwrap();
    assert!(store.renew(third).await.unwrap());
}

fn write(dir: &Path, words: &str) {
    put(dir, &tree(2, NO_PACE, &[("c", ALWAYS)]).replace("Jour ", words));
}

/// Everything a plan writes.
pub(crate) async fn written(pool: &PgPool) -> String {
    one(
        pool,
        "select concat(json_build_array(
             (select json_agg(r order by id) from revision r), (select json_agg(m order by kind, name) from manifest m),
             (select json_agg(g) from generation g), (select json_agg(r) from run r), (select json_agg(l) from lane l),
             (select json_agg(r) from reconciler r)))",
    )
    .await
}

#[tokio::test]
async fn a_deposed_leader_writes_nothing() {
    let (dir, db) = (folder(), database().await);
    import(dir.path(), Some(&db.url()), 1, 1);
    let here = [dir.path().join("campaigns")];
    let (now, _) = db.store.now().await.unwrap();
    let applied = |pass: Result<Pass, Error>| match pass.map(|pass| pass.outcome) {
        Ok(Outcome::Applied { revision, .. }) => revision,
        other => panic!("{other:?}"),
    };
    let taken: Option<Token> = db.store.take_over(&holder("a")).await.unwrap();
    let paused = db.store.fenced(taken.unwrap());
    write(dir.path(), "Un ");
    assert_eq!(applied(reconcile(source::load(&here).unwrap().into(), &paused, By::Daemon, now).await), 1);

    run_out(&db.pool).await;
    let awake = db.store.fenced(db.store.take_over(&holder("b")).await.unwrap().unwrap());
    write(dir.path(), "Deux ");
    let before = written(&db.pool).await;
    assert!(matches!(
        reconcile(source::load(&here).unwrap().into(), &paused, By::Daemon, now).await,
        Err(Error::Fenced)
    ));
    assert_eq!(written(&db.pool).await, before);
    assert_eq!(applied(reconcile(source::load(&here).unwrap().into(), &awake, By::Daemon, now).await), 2);

    // A person needs no lease, and takes none away.
    write(dir.path(), "Trois ");
    assert_eq!(applied(reconcile(source::load(&here).unwrap().into(), &db.store, By::Daemon, now).await), 3);
    write(dir.path(), "Quatre ");
    // Carrying out a plan renews the lease.
    run_out(&db.pool).await;
    assert_eq!(applied(reconcile(source::load(&here).unwrap().into(), &awake, By::Daemon, now).await), 4);
    assert_eq!(db.store.reconciler().await.unwrap(), Some(holder("b")));
    let tokens = "select string_agg(coalesce(token::text, 'person'), ' ' order by id) from revision";
    assert_eq!(one::<String>(&db.pool, tokens).await, "1 2 person 2");

    // Nor does who gave it back.
    let last: i64 = one(&db.pool, "select token from reconciler").await;
    assert_eq!(last, 2);
    execute(&db.pool, "update reconciler set host = null, pid = null, until = null").await;
    write(dir.path(), "Cinq ");
    assert!(matches!(
        reconcile(source::load(&here).unwrap().into(), &awake, By::Daemon, now).await,
        Err(Error::Fenced)
    ));
}

#[tokio::test]
async fn a_deposed_leader_never_changes_the_plan_that_waits_for_approval() {
    let (dir, db) = (folder(), database().await);
    import(dir.path(), Some(&db.url()), 4, 1);
    let here = [dir.path().join("campaigns")];
    let (now, _) = db.store.now().await.unwrap();
    let pass = async |store: &Store| {
        reconcile(source::load(&here).unwrap().into(), store, By::Daemon, now).await.map(|pass| pass.outcome)
    };
    let paused = db.store.fenced(db.store.take_over(&holder("a")).await.unwrap().unwrap());
    write(dir.path(), "Un ");
    assert!(matches!(pass(&paused).await, Ok(Outcome::Applied { .. })));
    run_out(&db.pool).await;
    let awake = db.store.fenced(db.store.take_over(&holder("b")).await.unwrap().unwrap());

    // What the new one sees is an accident until somebody says otherwise.
    let whole = fs::read_to_string(here[0].join("tree.yaml")).unwrap();
    fs::write(here[0].join("tree.yaml"), tree(1, NO_PACE, &[])).unwrap();
    assert!(matches!(pass(&awake).await, Ok(Outcome::Refused(_))));
    let digest = db.store.waiting_plan().await.unwrap().unwrap().digest;
    db.store.approve_plan(&digest, "maria", "meant", now).await.unwrap();

    // Files of before are in order for the old one; other files would be another accident.
    let other = tree(2, NO_PACE, &[]);
    for stale in [whole, other] {
        fs::write(here[0].join("tree.yaml"), stale).unwrap();
        assert!(matches!(pass(&paused).await, Err(Error::Fenced)));
        let waiting = db.store.waiting_plan().await.unwrap().unwrap();
        assert_eq!((waiting.digest, waiting.approved_by.as_deref()), (digest.clone(), Some("maria")));
    }
    fs::write(here[0].join("tree.yaml"), tree(1, NO_PACE, &[])).unwrap();
    assert!(matches!(pass(&awake).await, Ok(Outcome::Applied { .. })));
}
