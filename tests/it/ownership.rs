//! A database follows one source of manifests: another one changes nothing until a person hands it over.

use std::fs;

use relance::core::domain::{Name, SourceId};
use relance::daemon::reconcile::{By, Outcome, compare, reconcile};
use relance::source::{Claim, Tree};
use relance::store::Store;
use serde_json::Value;

use crate::estimate::world as people;
use crate::several::written;
use crate::support::daemon::{Daemon, folder, import, put, relancectl, until, until_logged};
use crate::support::database::database;
use crate::support::rows::one;
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::sources;

const PERSON: By<'_> = By::Person { mass_change: true, digest: None };

fn named(name: &str) -> SourceId {
    SourceId::named(Name::parse(name).unwrap())
}

fn repository(place: &str) -> SourceId {
    SourceId::unnamed(Some(place.to_owned()))
}

/// A pass over a tree of one campaign. `applied`, `in sync`, or whose the database is.
async fn pass(store: &Store, campaign: &str, source: &SourceId, take_over: bool, by: By<'_>) -> String {
    let claim = Claim { source: source.clone(), take_over };
    let tree = Tree::from(sources(&tree(1, NO_PACE, &[(campaign, "priority: 5")]))).claimed(claim);
    let (now, _) = store.now().await.unwrap();
    match reconcile(tree, store, by, now).await.unwrap().outcome {
        Outcome::Applied { plan, .. } => format!("applied {}", plan.changes.len()),
        Outcome::InSync => "in sync".to_owned(),
        Outcome::Foreign(foreign) => format!("of {}", foreign.owner),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn another_source_changes_nothing_until_an_operator_hands_over() {
    let world = people(3, "select 1").await;
    let (store, a, b) = (world.store(), named("team-a"), named("team-b"));
    // What is applied without a name belongs to whoever comes first with one.
    let unnamed = compare(sources(&tree(1, NO_PACE, &[])).into(), store).await.unwrap();
    assert_eq!((unnamed.foreign, unnamed.in_force.owner), (None, None));
    assert_eq!(pass(store, "one", &a, false, By::Daemon).await, "applied 3");

    let before = written(world.pool()).await;
    for by in [By::Daemon, PERSON] {
        for campaign in ["one", "two"] {
            assert_eq!(pass(store, campaign, &b, false, by).await, "of `team-a`");
        }
    }
    assert_eq!(written(world.pool()).await, before);
    // Its plan can be seen.
    let claim = Claim { source: b.clone(), take_over: false };
    let looked = Tree::from(sources(&tree(1, NO_PACE, &[("two", "priority: 5")]))).claimed(claim);
    let looked = compare(looked, store).await.unwrap();
    assert_eq!((looked.plan.changes.len(), looked.foreign.map(|foreign| foreign.owner)), (2, Some(a.clone())));

    assert_eq!(pass(store, "one", &a, false, By::Daemon).await, "in sync");
    // The same tree under another name is worth a revision: it says who has it from here on.
    assert_eq!(pass(store, "one", &b, true, PERSON).await, "applied 0");
    assert_eq!(pass(store, "one", &a, false, By::Daemon).await, "of `team-b`");
    assert_eq!(pass(store, "one", &b, true, PERSON).await, "in sync");
    assert_eq!(pass(store, "two", &b, false, By::Daemon).await, "applied 2");
    let history = world.column("select coalesce(source, '-') from revision order by id").await;
    assert_eq!(history, ["team-a", "team-b", "team-b"]);
}

#[tokio::test]
async fn an_unnamed_revision_is_claimed_by_the_first_source_in_sync() {
    let world = people(3, "select 1").await;
    let (store, a, b) = (world.store(), named("team-a"), named("team-b"));
    assert_eq!(pass(store, "one", &a, false, By::Daemon).await, "applied 3");
    world.sql("update revision set source = null").await;
    assert_eq!(pass(store, "one", &a, false, By::Daemon).await, "applied 0");
    assert_eq!(pass(store, "one", &a, false, By::Daemon).await, "in sync");
    assert_eq!(pass(store, "two", &b, false, By::Daemon).await, "of `team-a`");
}

#[tokio::test]
async fn repositories_distinguish_unnamed_sources() {
    let world = people(3, "select 1").await;
    let (store, a, b) = (world.store(), repository("example.com/x#a"), repository("example.com/x#b"));
    let anywhere = SourceId::unnamed(None);
    assert_eq!(pass(store, "one", &a, false, By::Daemon).await, "applied 3");
    assert_eq!(pass(store, "two", &b, false, By::Daemon).await, "of `default` (example.com/x#a)");
    // From a checkout; which does not make it anybody's.
    assert_eq!(pass(store, "two", &anywhere, false, PERSON).await, "applied 2");
    assert_eq!(pass(store, "three", &b, false, By::Daemon).await, "of `default` (example.com/x#a)");
    assert_eq!(pass(store, "three", &a, false, By::Daemon).await, "applied 2");
    // It moves, and so does who it is.
    assert_eq!(pass(store, "three", &b, true, PERSON).await, "applied 0");
    assert_eq!(pass(store, "three", &a, false, By::Daemon).await, "of `default` (example.com/x#b)");
}

#[tokio::test]
async fn commands_name_the_source_that_owns_the_database() {
    let (dir, db) = (folder(), database().await);
    import(dir.path(), Some(&db.url()), 1, 3);
    put(dir.path(), &tree(1, NO_PACE, &[("one", ALWAYS)]));
    let url = db.url();
    let run = |url: Option<&str>, args: &[&str]| {
        let output = relancectl(dir.path(), url, args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (text(&output.stdout), text(&output.stderr), output.status.code())
    };
    let (_, error, code) = run(Some(&url), &["apply", "--source", "Team A"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("`Team A` is not a name"), "{error}");
    assert_eq!(run(Some(&url), &["apply", "--source", "team-a"]).2, Some(0));

    let said = "the database follows the source `team-a`, and these files are the source `default`";
    for args in [&["plan"][..], &["apply"], &["apply", "--allow-mass-change"]] {
        let (_, error, code) = run(Some(&url), args);
        assert_eq!(code, Some(1), "{args:?}");
        assert!(error.contains(said) && error.contains("--take-over") && error.contains("--source team-a"), "{error}");
    }
    let (json, ..) = run(Some(&url), &["plan", "-o", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json["refused"].as_str().unwrap().starts_with(said), "{json}");
    // In CI too.
    assert_eq!(run(Some(&url), &["export", "state", "--out", "state.json"]).2, Some(0));
    let (_, error, code) = run(None, &["plan", "-f", "state.json"]);
    assert_eq!(code, Some(1));
    assert!(error.contains(said), "{error}");
    assert_eq!(run(None, &["plan", "-f", "state.json", "--source", "team-a"]).2, Some(0));

    let (text, _, code) = run(Some(&url), &["apply", "--take-over"]);
    assert_eq!(code, Some(0));
    assert!(text.contains("The database follows the source `default` now."), "{text}");
    assert_eq!(run(Some(&url), &["plan"]).2, Some(0));
    let (json, ..) = run(Some(&url), &["get", "revisions", "-o", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json[0]["source"], &json[1]["source"]), (&"team-a".into(), &"default".into()));
}

#[tokio::test]
async fn a_daemon_of_another_source_does_not_reconcile() {
    let (dir, db) = (folder(), database().await);
    import(dir.path(), Some(&db.url()), 1, 3);
    let team = |name: &str, words: &str| {
        let files = dir.path().join(name);
        fs::create_dir_all(&files).unwrap();
        fs::write(files.join("new"), tree(1, NO_PACE, &[("one", ALWAYS)]).replace("Jour ", words)).unwrap();
        fs::rename(files.join("new"), files.join("tree.yaml")).unwrap();
    };
    team("a", "Un ");
    team("b", "Deux ");
    let url = db.url();
    let daemon = |name: &str| Daemon::start(dir.path(), Some(&url), &["run", "--dir", name, "--source", name]);
    let a = daemon("a");
    until_logged(&a, "applied a new revision");
    a.stop();
    // Though nobody else reconciles.
    let b = daemon("b");
    until_logged(&b, "the database follows the source `a`, and these files are the source `b`");
    let a = daemon("a");
    until_logged(&a, "reconciling from here on");
    team("a", "Trois ");
    until(&db.pool, &a, "select count(*) = 2 from revision").await;

    let output = relancectl(dir.path(), Some(&url), &["apply", "--dir", "b", "--source", "b", "--take-over"]).output();
    assert!(output.unwrap().status.success());
    until_logged(&a, "the database follows the source `b`, and these files are the source `a`");
    until_logged(&b, "reconciling from here on");
    team("a", "Quatre ");
    team("b", "Cinq ");
    until(&db.pool, &b, "select count(*) = 4 from revision").await;
    let sources: String = one(&db.pool, "select string_agg(source, ' ' order by id) from revision").await;
    assert_eq!(sources, "a a b b");
}
