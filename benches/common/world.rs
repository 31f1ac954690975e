//! Accounts, people and one campaign for all of them, created through the program's own interfaces.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Cursor;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use relance::channel::Open;
use relance::core::dispatch::program::Program;
use relance::core::domain::Timestamp;
use relance::core::manifest;
use relance::core::manifest::{SourceFile, Sources};
use relance::core::plan;
use relance::daemon as runner;
use relance::daemon::Loaded;
use relance::facts::{Source, import};
use relance::store::{Age, Origin, Store};

/// Returns the manifests of one campaign of `days` days for everybody. Each account sends one message `every` seconds;
/// 0 sends without pause.
pub(crate) fn tree(days: usize, every: u64) -> String {
    let mut tree = format!(
        "apiVersion: relance/v1\nkind: Defaults\nmetadata: {{name: defaults}}\n\
         spec: {{pacing: {{every: {every}s, jitter: 0s}}}}\n---\n\
         apiVersion: relance/v1\nkind: Campaign\nmetadata: {{name: week}}\n\
         spec: {{type: filtered, state: active, accounts: all, sequenceRef: week, filter: {{countries: [CM]}}}}\n---\n\
         apiVersion: relance/v1\nkind: Sequence\nmetadata: {{name: week}}\n\
         spec:\n  fallbackLanguage: fr\n  days:\n"
    );
    for day in 1..=days {
        writeln!(
            tree,
            "    - {{day: {day}, text: {{fr: 'Bonjour {{{{ name }}}}, ici {{{{ referrerName }}}}. Voici le message \
             {{{{ day }}}} sur {{{{ daysTotal }}}}, à propos de votre inscription. {{{{ optOutHint }}}}'}}}}"
        )
        .unwrap();
    }
    tree
}

pub(crate) async fn import_accounts(store: &Store, accounts: u32, now: Timestamp) {
    let mut csv = "id,name,language,country,timezone\n".to_owned();
    for n in 0..accounts {
        writeln!(csv, "acc-{n},Aminata Ngo {n},fr,CM,Africa/Douala").unwrap();
    }
    let report = import::accounts(store, Source::stream("accounts", Cursor::new(csv)), Age { as_of: now, now }).await;
    assert_eq!(report.unwrap().inserted, u64::from(accounts));
}

/// Imports people, distributed evenly over the accounts. Returns the duration of the import.
pub(crate) async fn import_people(store: &Store, people: Range<u32>, accounts: u32, now: Timestamp) -> Duration {
    let mut csv =
        "id,account_id,name,phone,language,country,profession,birth_date,registered_at,consent,city\n".to_owned();
    let expected = people.len();
    for n in people {
        let (account, minute) = (n % accounts, n % 50_000);
        let at = now - chrono::TimeDelta::minutes(i64::from(minute) + 120);
        writeln!(
            csv,
            "ref-{n:08},acc-{account},Jean-Paul Mballa {n},+23767{n:07},fr,CM,Étudiant,1999-05-14,{},opted_in,Douala",
            at.format("%Y-%m-%dT%H:%M:%SZ")
        )
        .unwrap();
    }
    let source = Source::stream("referrals", Cursor::new(csv));
    let begun = Instant::now();
    let report = import::referrals(store, source, Age { as_of: now, now }).await.unwrap();
    let took = begun.elapsed();
    assert_eq!(report.inserted, expected as u64, "{:?}", report.rejected.first());
    took
}

/// Applies `tree` and returns the program in force.
pub(crate) async fn apply(store: &Store, tree: &str, open: &Open, now: Timestamp) -> Arc<Program> {
    let files = vec![SourceFile { path: "tree.yaml".to_owned(), bytes: tree.as_bytes().to_vec() }];
    let checked = manifest::check(&Sources::from(files));
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    let in_force = store.in_force().await.unwrap();
    let plan = plan::plan(&checked.desired.to_objects(), &in_force.objects, &BTreeMap::new());
    store.apply(&plan, &checked.desired, in_force.generation, &Origin::default(), now).await.unwrap();
    Loaded::new(Arc::clone(open)).in_force(store).await.unwrap().0
}

/// Enrolls everybody. Returns the number of people and the duration.
pub(crate) async fn enroll(store: &Store, program: &Program, now: Timestamp) -> (u64, Duration) {
    store.ensure_runs(program, now).await.unwrap();
    store.advance_runs(program, now).await.unwrap();
    let begun = Instant::now();
    let people = runner::enroll(store, program, now).await.unwrap();
    (people, begun.elapsed())
}
