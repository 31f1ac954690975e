//! Idempotency keys: a request takes effect once, however often it arrives.

use std::thread;

use serde_json::{Value, json};

use super::desk::{Answer, Ask, BASE, Desk, world};

fn keyed(path: &str, body: &Value, key: &str) -> Ask {
    Ask::post(&format!("{BASE}{path}"), &body.to_string()).with(&format!("Idempotency-Key: {key}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_request_gets_the_first_answer_and_has_no_second_effect() {
    let desk = Desk::open(world().await).await;
    let phone = json!({"phones": ["+237671000001"], "reason": "asked"});
    let resolve = json!({"ids": ["shared/acc-one/one-b/1"], "outcome": "sent", "reason": "seen"});
    let pause = json!({"reason": "why"});
    for (path, body) in
        [("/campaigns/shared/pause", &pause), ("/suppressions", &phone), ("/messages/resolve", &resolve)]
    {
        let send = || desk.ask(&desk.operator, keyed(path, body, path));
        let first = send();
        assert_eq!((first.status, first.header("idempotency-replayed")), (200, None), "{first:?}");
        let after = desk.everything().await;
        for _ in 0..2 {
            let again = send();
            assert_eq!((again.status, again.header("idempotency-replayed")), (200, Some("true")));
            assert_eq!(again.json(), first.json(), "{path}");
        }
        assert_eq!(desk.everything().await, after, "{path}");
    }
    // Without a key, or with the same key of another token, it is another request.
    let other = desk.token("other", relance::core::access::Role::Operator, None).await;
    assert_eq!(desk.ask(&other, keyed("/suppressions", &phone, "/suppressions")).json()["already"], 1);
    assert_eq!(desk.post(&desk.operator, "/suppressions", &phone).json()["already"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_stands_for_one_request() {
    let desk = Desk::open(world().await).await;
    let pause = |reason: &str, path: &str| desk.ask(&desk.operator, keyed(path, &json!({"reason": reason}), "k"));
    assert_eq!(pause("why", "/campaigns/shared/pause").status, 200);
    for answer in [
        pause("another", "/campaigns/shared/pause"),
        pause("why", "/campaigns/shared/resume"),
        pause("why", "/campaigns/first/pause"),
    ] {
        assert_eq!((answer.status, answer.problem().as_str()), (422, "idempotency-key-reused"));
    }
    for key in ["", &"k".repeat(256), "é"] {
        let answer = desk.ask(&desk.operator, keyed("/campaigns/shared/pause", &json!({"reason": "why"}), key));
        assert_eq!(answer.problem(), "bad-request", "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_request_leaves_its_key_free() {
    let desk = Desk::open(world().await).await;
    let send = |path: &str, body: Value| desk.ask(&desk.operator, keyed(path, &body, "k"));
    assert_eq!(send("/campaigns/shared/pause", json!({"reason": ""})).problem(), "invalid-body");
    let unknown = json!({"ids": ["shared/acc-one/nobody/1"], "outcome": "sent", "reason": "seen"});
    assert_eq!(send("/messages/resolve", unknown).problem(), "not-found");
    assert_eq!(desk.world().count("api_request").await, 0);
    assert_eq!(send("/campaigns/shared/pause", json!({"reason": "why"})).status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_that_arrive_together_have_one_effect() {
    let desk = Desk::open(world().await).await;
    let request = keyed("/suppressions", &json!({"phones": ["+237671000001"], "reason": "asked"}), "k");
    let answers: Vec<Answer> = thread::scope(|scope| {
        let send = || desk.ask(&desk.operator, request.clone());
        let all: Vec<_> = (0..8).map(|_| scope.spawn(send)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let (done, busy): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert!(!done.is_empty());
    for answer in done {
        assert_eq!(answer.json(), json!({"suppressed": 1, "already": 0, "exited": 2}));
    }
    for answer in busy {
        assert_eq!((answer.status, answer.problem().as_str()), (409, "idempotency-key-in-use"));
    }
    assert_eq!(desk.world().count("event where kind = 'suppressed'").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_died_before_its_effect_runs_again_and_old_keys_are_free() {
    let mut desk = Desk::open(world().await).await;
    let send = |desk: &Desk| desk.ask(&desk.operator, keyed("/campaigns/shared/pause", &json!({"reason": "why"}), "k"));
    assert_eq!(send(&desk).status, 200);
    // As a process leaves it that is killed in the middle.
    desk.world().sql("update api_request set answer = null").await;
    assert_eq!(send(&desk).problem(), "idempotency-key-in-use");
    desk.house.at("2026-11-30T11:01:00Z").await;
    assert_eq!((send(&desk).status, desk.world().count("api_request").await), (200, 1));
    desk.house.at("2026-12-01T11:01:00Z").await;
    let other = json!({"reason": "another"});
    let answer = desk.ask(&desk.operator, keyed("/campaigns/shared/pause", &other, "k"));
    assert_eq!((answer.status, answer.json()["reason"].as_str()), (200, Some("another")));
}
