//! Orders: the same effect as on the command line, told in the answer and in the log.

use relance::daemon::reconcile::By;
use serde_json::json;

use super::desk::{Desk, PHONES, world};
use crate::support::trees::{ALWAYS, NO_PACE, sources, tree};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_says_what_happened_to_how_many_runs() {
    let desk = Desk::open(world().await).await;
    let because = json!({"reason": " the shop is closed ", "until": "2026-12-01T08:00:00Z"});
    let paused = desk.post(&desk.operator, "/campaigns/shared/pause", &because);
    assert_eq!(paused.status, 200, "{paused:?}");
    let paused = paused.json();
    assert_eq!(
        (&paused["action"], &paused["campaign"], &paused["account"]),
        (&json!("pause"), &json!("shared"), &json!(null))
    );
    assert_eq!((&paused["actor"], &paused["reason"]), (&json!("operator"), &json!("the shop is closed")));
    assert_eq!((&paused["runs"], &paused["people"], &paused["until"]), (&json!(2), &json!(4), &because["until"]));
    assert_eq!(paused["phases"][0]["phase"], "paused");
    let detail = desk.get(&desk.viewer, "/campaigns/shared").json();
    assert_eq!(detail["overrides"][0]["actor"], "operator");
    assert_eq!(detail["runs"]["paused"], 2);
    let event = desk.get(&desk.viewer, "/events?campaign=shared&limit=50").json();
    let events = event["items"].as_array().unwrap();
    assert!(events.iter().any(|event| event["kind"] == "override-set" && event["actor"] == "operator"), "{events:?}");
    let resumed = desk.post(&desk.operator, "/campaigns/shared/resume", &json!({"reason": "open"})).json();
    assert_eq!((&resumed["replaced"], &resumed["phases"][0]["phase"]), (&json!("pause"), &json!("active")));
    let started =
        desk.post(&desk.operator, "/campaigns/shared/start", &json!({"reason": "go", "account": "acc-one"})).json();
    assert_eq!(
        (&started["action"], &started["account"], &started["runs"]),
        (&json!("start"), &json!("acc-one"), &json!(1))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_cannot_work_says_why() {
    let mut desk = Desk::open(world().await).await;
    let post = |desk: &Desk, path: &str, body| desk.post(&desk.operator, path, &body);
    for (path, body) in [
        ("/campaigns/shared/pause", json!({"reason": "why", "until": "2026-11-30T08:00:00Z"})),
        ("/campaigns/shared/pause", json!({"reason": "why", "until": "tomorrow"})),
        ("/campaigns/shared/cancel", json!({"reason": "why", "until": "2027-01-01T00:00:00Z"})),
    ] {
        assert_eq!(post(&desk, path, body.clone()).problem(), "invalid-body", "{body}");
    }
    let cancelled = post(&desk, "/campaigns/second/cancel", json!({"reason": "over"})).json();
    assert_eq!((&cancelled["exited"], &cancelled["phases"][0]["phase"]), (&json!(2), &json!("cancelled")));
    for verb in ["start", "pause", "resume", "cancel"] {
        let refused = post(&desk, &format!("/campaigns/second/{verb}"), json!({"reason": "why"}));
        assert_eq!((refused.status, refused.problem().as_str()), (409, "campaign-phase"), "{verb}");
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("it is cancelled") && detail.contains("allows no order"), "{detail}");
    }
    desk.house.world.apply(&tree(2, NO_PACE, &[("shared", ALWAYS)])).await;
    let refused = post(&desk, "/campaigns/first/pause", json!({"reason": "why"}));
    assert_eq!((refused.status, refused.problem().as_str()), (409, "campaign-over"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_plan_is_approved_once_and_by_its_digest() {
    let mut desk = Desk::open(world().await).await;
    let because = json!({"reason": "yes, all of them"});
    assert_eq!(desk.post(&desk.operator, "/plans/abc/approve", &because).problem(), "plan-not-waiting");
    let pass =
        desk.house.world.reconcile(&sources(&[("tree.yaml", tree(2, NO_PACE, &[]).as_bytes())]), By::Daemon).await;
    let digest = pass.digest;
    let other = desk.post(&desk.operator, "/plans/abc/approve", &because);
    assert!(other.problem() == "plan-not-waiting" && other.body.contains(&digest), "{other:?}");
    let approved = desk.post(&desk.operator, &format!("/plans/{digest}/approve"), &because).json();
    assert_eq!((&approved["plan"], &approved["approved_by"]), (&json!(digest), &json!("operator")));
    assert!(approved["refusal"].as_str().is_some_and(|why| !why.is_empty()));
    let waiting = desk.world().store().waiting_plan().await.unwrap().unwrap();
    assert_eq!(
        (waiting.approved_by.as_deref(), waiting.approval_reason.as_deref()),
        (Some("operator"), Some("yes, all of them"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_and_messages_are_settled_as_on_the_command_line() {
    let desk = Desk::open(world().await).await;
    let phone = format!("{PHONES}0001");
    let bad = json!({"reason": "asked", "phones": [phone, "671", "x"]});
    let refused = desk.post(&desk.operator, "/suppressions", &bad);
    assert_eq!(refused.problem(), "invalid-body");
    let pointers: Vec<_> =
        refused.json()["errors"].as_array().unwrap().iter().map(|error| error["pointer"].clone()).collect();
    assert_eq!(pointers, ["/phones/1", "/phones/2"]);
    assert!(!refused.body.contains(&phone));
    let good = json!({"reason": "asked", "phones": [phone]});
    let done = desk.post(&desk.operator, "/suppressions", &good).json();
    assert_eq!(done, json!({"suppressed": 1, "already": 0, "exited": 2}));
    assert_eq!(
        desk.post(&desk.operator, "/suppressions", &good).json(),
        json!({"suppressed": 0, "already": 1, "exited": 0})
    );
    let by: String = desk.world().one("select concat_ws(' ', source, actor, reason) from suppression").await;
    assert_eq!(by, "operator operator asked");

    let ids = |ids: &[&str]| json!({"ids": ids, "outcome": "failed", "reason": "seen"});
    let known = "shared/acc-one/one-b/1";
    let unknown = desk.post(&desk.operator, "/messages/resolve", &ids(&[known, "shared/acc-one/nobody/1"]));
    assert_eq!((unknown.problem().as_str(), &unknown.json()["errors"][0]["pointer"]), ("not-found", &json!("/ids/1")));
    let certain = desk.post(&desk.operator, "/messages/resolve", &ids(&["shared/acc-two/two-a/1"]));
    assert_eq!((certain.status, certain.problem().as_str()), (409, "message-state"));
    let done = desk.post(&desk.operator, "/messages/resolve", &ids(&[known]));
    assert_eq!(done.json(), json!({"resolved": 1, "state": "failed"}));
}
