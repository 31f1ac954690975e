//! A large export is counted to the row, where one is at hand that says what is in it.

use std::path::Path;

use relance::facts::{Source, import};
use relance::store::Age;
use serde_json::Value;

use crate::support::database::database;

const NOW: &str = "2026-11-01T00:00:00Z";

#[tokio::test]
async fn members_50k_is_counted_exactly() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/members-50k");
    let Ok(expected) = std::fs::read(dir.join("expected.json")) else { return };
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    let db = database().await;
    let age = Age { as_of: NOW.parse().unwrap(), now: NOW.parse().unwrap() };
    for again in [false, true] {
        let report = import::accounts(&db.store, Source::open(&dir.join("accounts.csv")).unwrap(), age).await.unwrap();
        let all = expected["accounts"].as_u64().unwrap();
        assert_eq!(
            (report.read, report.inserted, report.updated, report.unchanged, report.rejected.len()),
            if again { (all, 0, 0, all, 0) } else { (all, all, 0, 0, 0) }
        );

        let file = Source::open(&dir.join("referrals.csv")).unwrap();
        let report = import::referrals(&db.store, file, age).await.unwrap();
        let (valid, repeated) = (&expected["referrals"]["valid"], &expected["referrals"]["repeated"]);
        let (valid, repeated) = (valid.as_u64().unwrap(), repeated.as_u64().unwrap());
        let (inserted, unchanged) = if again { (0, valid + repeated) } else { (valid, repeated) };
        assert_eq!((report.inserted, report.updated, report.unchanged), (inserted, 0, unchanged));
        let mut rejected = serde_json::Map::new();
        for rejection in &report.rejected {
            let count = rejected.get(&rejection.column).and_then(Value::as_u64).unwrap_or(0);
            rejected.insert(rejection.column.clone(), (count + 1).into());
        }
        assert_eq!(Value::Object(rejected), expected["referrals"]["rejected"]);
    }
}
