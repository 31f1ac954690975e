//! Test results for programs.

use serde_json::{Value, json};

use super::ran::Ran;
use super::text::subject;
use crate::time_machine::test::Failure;

/// Renders the results: the contract of `-o json`.
pub(super) fn render(all: &[Ran]) -> serde_json::Result<String> {
    let failed = all.iter().filter(|ran| !ran.is_ok()).count();
    let results: Vec<Value> = all.iter().map(result).collect();
    serde_json::to_string_pretty(&json!({
        "ok": failed == 0,
        "tests": all.len(),
        "passed": all.len() - failed,
        "failed": failed,
        "results": results,
    }))
}

fn result(ran: &Ran) -> Value {
    let report = &ran.report;
    json!({
        "name": report.name,
        "file": &*report.place.file,
        "line": report.place.start.line,
        "ok": ran.is_ok(),
        "failures": report.failures.iter().map(failure).collect::<Vec<_>>(),
    })
}

fn failure(failure: &Failure) -> Value {
    let place = &failure.finding.place;
    let events = failure
        .events
        .iter()
        .map(|event| json!({"subject": subject(&event.to).replace('`', ""), "at": event.at, "event": event.what}));
    json!({
        "message": failure.finding.message,
        "expected": failure.expected,
        "found": failure.found,
        "file": &*place.file,
        "line": place.start.line,
        "column": place.start.column,
        "pointer": place.pointer,
        "events": events.collect::<Vec<_>>(),
    })
}
