//! From files to what is in force: guarded, all or nothing, and once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use relance::core::domain::Timestamp;
use relance::core::manifest;
use relance::core::manifest::{Checked, SourceFile, Sources};
use relance::core::plan;
use relance::core::plan::{Plan, Refusal};
use relance::daemon::reconcile::{By, Error, Outcome, compare, reconcile};
use relance::source;
use relance::source::{ReadError, Source, Tree};
use relance::store::{Applied, Origin, Store};

use crate::support::database::{TestDatabase, database};
use crate::support::rows::{count, one};
use crate::support::trees::{NO_PACE, tree};

/// A person who knows what they do.
const ASKED: By<'_> = By::Person { mass_change: true, digest: None };

fn now() -> Timestamp {
    "2026-11-30T08:00:00Z".parse().unwrap()
}

/// Four accounts, and a directory for manifests.
async fn four_accounts() -> (TestDatabase, tempfile::TempDir) {
    let db = database().await;
    sqlx::raw_sql("insert into account (external_id, name, timezone, as_of) select 'a' || n, 'A', 'UTC', '2026-01-01Z' from generate_series(1, 4) n")
        .execute(&db.pool)
        .await
        .unwrap();
    (db, tempfile::tempdir().unwrap())
}

fn write(dir: &Path, campaigns: &[(&str, &str)]) {
    fs::write(dir.join("tree.yaml"), tree(2, NO_PACE, campaigns)).unwrap();
}

fn read(directories: &[PathBuf]) -> Tree {
    source::load(directories).unwrap().into()
}

async fn pass(db: &TestDatabase, dir: &Path) -> Outcome {
    reconcile(read(&[dir.to_owned()]), &db.store, By::Daemon, now()).await.unwrap().outcome
}

/// Everything that an apply may write.
async fn state(db: &TestDatabase) -> String {
    one(
        &db.pool,
        "select concat((select jsonb_agg(m order by kind, name) from manifest m), (select count(*) from revision),
                       (select jsonb_agg(g) from generation g), (select jsonb_agg(c order by id) from campaign c),
                       (select jsonb_agg(r order by account_id, campaign_id) from run r), (select jsonb_agg(l) from lane l))",
    )
    .await
}

#[tokio::test]
async fn an_empty_tree_or_a_mass_cancellation_is_refused_until_approval() {
    let (db, dir) = four_accounts().await;
    write(dir.path(), &[("a", ""), ("b", ""), ("c", "accounts: {names: [a1]}")]);
    assert!(matches!(pass(&db, dir.path()).await, Outcome::Applied { .. }));
    let before = state(&db).await;

    fs::remove_file(dir.path().join("tree.yaml")).unwrap();
    assert!(matches!(pass(&db, dir.path()).await, Outcome::Refused(Refusal::EmptyTree)));
    // Sequences alone are no campaigns.
    write(dir.path(), &[]);
    assert!(matches!(pass(&db, dir.path()).await, Outcome::Refused(Refusal::EmptyTree)));
    write(dir.path(), &[("b", ""), ("c", "accounts: {names: [a1]}")]);
    assert!(matches!(pass(&db, dir.path()).await, Outcome::Refused(Refusal::MassCancel { cancelled: 4, live: 9 })));
    let gone = dir.path().join("nowhere");
    let missing = Source::Directories(vec![gone]).read().await;
    assert!(matches!(missing, Err(ReadError::Directory(source::Error::Missing(_)))));
    fs::write(dir.path().join("broken.yaml"), "kind: [").unwrap();
    // What cannot be read may be what is missing: the daemon takes nothing away.
    assert!(matches!(pass(&db, dir.path()).await, Outcome::InSync));
    // Not even a person applies a broken tree.
    let forced = reconcile(read(&[dir.path().to_owned()]), &db.store, ASKED, now()).await.unwrap().outcome;
    assert!(matches!(forced, Outcome::Broken(_)));
    fs::remove_file(dir.path().join("broken.yaml")).unwrap();
    assert_eq!(state(&db).await, before, "something was written");

    let forced = reconcile(read(&[dir.path().to_owned()]), &db.store, ASKED, now()).await.unwrap().outcome;
    assert!(matches!(forced, Outcome::Applied { revision: 2, .. }), "{forced:?}");
    // One run of four is a small part.
    write(dir.path(), &[("b", "")]);
    assert!(matches!(pass(&db, dir.path()).await, Outcome::Applied { revision: 3, .. }));
    assert_eq!(count(&db.pool, "run where phase = 'cancelled'").await, 5);
    assert!(matches!(pass(&db, dir.path()).await, Outcome::InSync));
}

#[tokio::test]
async fn an_outdated_plan_writes_nothing() {
    let (db, dir) = four_accounts().await;
    write(dir.path(), &[("a", ""), ("b", "")]);
    let stale = compare(read(&[dir.path().to_owned()]), &db.store).await.unwrap();
    assert!(matches!(pass(&db, dir.path()).await, Outcome::Applied { .. }));
    let before = state(&db).await;
    for generation in [stale.in_force.generation, -1, 99] {
        let applied =
            db.store.apply(&stale.plan, &stale.checked.desired, generation, &stale.origin, now()).await.unwrap();
        assert_eq!(applied, Applied::Outdated);
    }
    assert_eq!(state(&db).await, before);
}

/// The lock of an import that is at its last step.
const IMPORT: &str = "select pg_advisory_xact_lock(x'72656c616e636501'::bigint)";

#[tokio::test]
async fn account_policies_never_change_during_an_import() {
    let (db, dir) = four_accounts().await;
    write(dir.path(), &[("one", "priority: 5")]);
    assert!(matches!(pass(&db, dir.path()).await, Outcome::Applied { .. }));
    let before = state(&db).await;
    let mut import = db.pool.begin().await.unwrap();
    sqlx::query(IMPORT).execute(&mut *import).await.unwrap();
    let account = "apiVersion: relance/v1\nkind: Account\nmetadata: {name: quiet}\n\
                   spec: {accounts: {names: [a1]}, sending: 'off'}\n";
    fs::write(dir.path().join("account.yaml"), account).unwrap();
    let blocked = reconcile(read(&[dir.path().to_owned()]), &db.store, By::Daemon, now()).await;
    assert!(matches!(blocked, Err(Error::Importing)), "{blocked:?}");
    assert_eq!(state(&db).await, before);
    import.rollback().await.unwrap();
    assert!(matches!(pass(&db, dir.path()).await, Outcome::Applied { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_reconciles_apply_each_change_once() {
    let (db, dir) = four_accounts().await;
    write(dir.path(), &[("a", ""), ("b", "")]);
    let directories = vec![dir.path().to_owned()];
    let passes = (0..6).map(|_| {
        let (store, directories) = (db.store.clone(), directories.clone());
        tokio::spawn(async move {
            loop {
                match reconcile(read(&directories), &store, By::Daemon, now()).await {
                    Err(Error::Outdated) => {}
                    pass => break pass.unwrap().outcome,
                }
            }
        })
    });
    let mut applied = 0;
    for pass in passes.collect::<Vec<_>>() {
        match pass.await.unwrap() {
            Outcome::Applied { .. } => applied += 1,
            Outcome::InSync => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(applied, 1);
    assert_eq!(count(&db.pool, "run").await, 8);
}

#[tokio::test]
async fn the_sample_tree_applies_once_in_any_file_layout() {
    let (db, dir) = four_accounts().await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directories: Vec<PathBuf> = ["campaigns", "templates"].map(|name| root.join(name)).into();
    let pass_of = async || reconcile(read(&directories), &db.store, By::Daemon, now()).await.unwrap().outcome;
    assert!(matches!(pass_of().await, Outcome::Applied { .. }));
    assert!(matches!(pass_of().await, Outcome::InSync));
    // All in one file, in another order.
    let mut files = source::load(&directories).unwrap().files;
    files.reverse();
    let whole: Vec<String> = files.into_iter().map(|file| String::from_utf8(file.bytes).unwrap()).collect();
    fs::create_dir_all(dir.path().join("deep/er")).unwrap();
    fs::write(dir.path().join("deep/er/all.yml"), whole.join("\n---\n")).unwrap();
    assert!(matches!(pass(&db, dir.path()).await, Outcome::InSync));
}

/// Keys of a campaign: what they are when nobody says anything, and something else.
const CAMPAIGN: [(&str, &str, &str); 9] = [
    ("state", "active", "paused"),
    ("priority", "100", "-3"),
    ("accounts", "all", "{names: [a1, a2]}"),
    ("enrollment", "untilDrained", "continuous"),
    ("exitOnPaid", "true", "false"),
    ("enrollAfter", "0s", "90m"),
    ("consent", "required", "legacy"),
    ("filter", "{subscription: unpaid, gender: all}", "{countries: [sn, CM, CM], age: {min: 18}}"),
    (
        "schedule",
        "{firstAfter: 360m, every: 1d, windows: [{from: '08:00', to: '20:00'}]}",
        "{endAt: 2027-05-01, blackouts: [2026-12-25, 2026-12-25], timezone: Europe/Paris}",
    ),
];
const DEFAULTS: [(&str, &str, &str); 4] = [
    ("allowSimultaneousCampaigns", "false", "true"),
    (
        "pacing",
        "{every: 120s, jitter: 30s}",
        "{every: 1m, jitter: 0s, waves: [{messages: 2, every: 5s, pauseAfter: 1m}]}",
    ),
    ("enrollAfter", "60m", "2h"),
    ("limits", "{}", "{messagesPerDay: 40, targets: 9}"),
];

/// For each key: nothing (0), the default in so many words (1), something else (2).
type Choices = Vec<u8>;

fn choices(keys: usize) -> impl Strategy<Value = Choices> {
    proptest::collection::vec(select(vec![0_u8, 0, 1, 2]), keys)
}

fn written(keys: &[(&str, &str, &str)], choices: &[u8]) -> String {
    let chosen = keys.iter().zip(choices).filter_map(|((key, usual, other), choice)| match choice {
        0 => None,
        1 => Some(format!("{key}: {usual}")),
        _ => Some(format!("{key}: {other}")),
    });
    chosen.collect::<Vec<_>>().join(", ")
}

fn yaml((days, defaults, campaigns): &(u16, Choices, Vec<Choices>)) -> String {
    let specs: Vec<(String, String)> =
        campaigns.iter().enumerate().map(|(at, choices)| (format!("c{at}"), written(&CAMPAIGN, choices))).collect();
    let specs: Vec<(&str, &str)> = specs.iter().map(|(name, spec)| (name.as_str(), spec.as_str())).collect();
    tree(*days, &written(&DEFAULTS, defaults), &specs)
}

/// The same in other words: defaults said are left out, and defaults left out are said.
fn reworded((days, defaults, campaigns): &(u16, Choices, Vec<Choices>)) -> (u16, Choices, Vec<Choices>) {
    let flip = |choices: &Choices| choices.iter().map(|choice| [1, 0, 2][usize::from(*choice)]).collect();
    (*days, flip(defaults), campaigns.iter().map(flip).collect())
}

fn check(yaml: &str) -> Checked {
    let files = vec![SourceFile { path: "tree.yaml".to_owned(), bytes: yaml.as_bytes().to_vec() }];
    let checked = manifest::check(&Sources::from(files));
    assert!(!checked.has_errors(), "{yaml}\n{:#?}", checked.diagnostics);
    checked
}

async fn plan_of(store: &Store, checked: &Checked) -> (Plan, i64) {
    let in_force = store.in_force().await.unwrap();
    (plan::plan(&checked.desired.to_objects(), &in_force.objects, &BTreeMap::new()), in_force.generation)
}

#[test]
fn a_reworded_tree_plans_nothing_after_an_apply() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (db, _dir) = runtime.block_on(four_accounts());
    let trees = (1_u16..5, choices(DEFAULTS.len()), proptest::collection::vec(choices(CAMPAIGN.len()), 0..4));
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let before: RefCell<Option<String>> = RefCell::new(None);
    // One database: each tree is applied over the one before.
    let result = runner.run(&trees, |tree| {
        let (text, other) = (yaml(&tree), yaml(&reworded(&tree)));
        let checked = check(&text);
        runtime.block_on(async {
            let (plan, generation) = plan_of(&db.store, &checked).await;
            if before.borrow().as_deref() != Some(text.as_str()) && !plan.is_empty() {
                let applied =
                    db.store.apply(&plan, &checked.desired, generation, &Origin::default(), now()).await.unwrap();
                prop_assert!(matches!(applied, Applied::Revision(_)));
            }
            for text in [&text, &other] {
                let (plan, _) = plan_of(&db.store, &check(text)).await;
                prop_assert!(plan.is_empty(), "{:#?}\nafter applying\n{}", plan.changes, text);
            }
            // What is in force compiles back to the very same value.
            let in_force = db.store.in_force().await.unwrap();
            prop_assert_eq!(&in_force.desired, &checked.desired);
            Ok(())
        })?;
        before.replace(Some(text));
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
