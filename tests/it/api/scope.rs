//! A token of one account: nothing of another account is in any answer, and nothing of it can be changed.

use relance::core::access::Role;
use serde_json::{Value, json};

use super::desk::{Desk, world};
use super::refusals::operations;

/// Words that tell of the other account: its id, its people, the campaign that it alone has, its phones.
const OTHER: [&str; 7] = ["acc-two", "two-a", "two-b", "second", "+237671000003", "+237671000004", "+237671000092"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_to_a_token_of_one_account_tells_of_another() {
    let desk = Desk::open(world().await).await;
    let tokens = [
        desk.token("one-viewer", Role::Viewer, Some("acc-one")).await,
        desk.token("one-operator", Role::Operator, Some("acc-one")).await,
    ];
    // Events of both accounts, and of one alone.
    for (account, campaign) in [("acc-one", "shared"), ("acc-two", "second"), ("acc-two", "shared")] {
        let answer = desk.post(
            &desk.operator,
            &format!("/campaigns/{campaign}/pause"),
            &json!({"reason": "why", "account": account}),
        );
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let mut read = 0;
    for (method, path) in operations(&desk) {
        if method != "get" {
            continue;
        }
        let path = path.replace("{name}", "shared").replace("{number}", "1");
        for token in &tokens {
            for page in ["", "?limit=1"] {
                let answer = desk.get(token, &format!("{path}{page}"));
                let told: Vec<_> = OTHER.iter().filter(|word| answer.body.contains(**word)).collect();
                assert!(told.is_empty(), "{path}: {told:?} in {}", answer.body);
                read += usize::from(answer.status == 200);
            }
        }
    }
    assert!(read > 30, "{read}");
    let shown = desk.get(&tokens[0], "/campaigns/shared").json();
    assert_eq!(
        (&shown["enrolled"], &shown["runs"]["paused"], &shown["runs"]["active"]),
        (&json!(2), &json!(1), &json!(0))
    );
    let names: Vec<Value> = desk.all(&tokens[0], "/campaigns", 1).iter().map(|row| row["name"].clone()).collect();
    assert_eq!(names, ["first", "shared"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_another_account_do_not_exist() {
    let desk = Desk::open(world().await).await;
    let token = desk.token("one", Role::Operator, Some("acc-one")).await;
    for path in [
        "/runs?account=acc-two",
        "/targets?account=acc-two",
        "/targets?referral=two-a",
        "/messages?referral=two-a",
        "/messages?campaign=second",
        "/events?account=acc-two",
        "/accounts?account=acc-two",
        "/config?account=acc-two",
        "/campaigns/second",
        "/campaigns/second/targets",
        "/campaigns/shared/targets?account=acc-two",
    ] {
        let answer = desk.get(&token, path);
        assert_eq!(answer.problem(), "not-found", "{path}");
        let unknown = path.replace("acc-two", "acc-nine").replace("two-a", "nine").replace("second", "ninth");
        let (mut answer, mut unknown) = (answer.json(), desk.get(&token, &unknown).json());
        answer["instance"].take();
        unknown["instance"].take();
        assert_eq!(answer, unknown, "{path}");
    }
    for path in ["/revisions", "/revisions/1"] {
        assert_eq!(desk.get(&token, path).problem(), "account-scope", "{path}");
    }
    // A cursor of another scope continues nothing.
    let cursor = desk.get(&desk.operator, "/targets?limit=1").json()["next"].as_str().unwrap().to_owned();
    assert_eq!(desk.get(&token, &format!("/targets?cursor={cursor}")).problem(), "cursor-mismatch");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_of_one_account_changes_that_account_alone() {
    let desk = Desk::open(world().await).await;
    let token = desk.token("one", Role::Operator, Some("acc-one")).await;
    let before = desk.everything().await;
    let because = json!({"reason": "why"});
    for (path, body, code) in [
        ("/campaigns/second/pause", because.clone(), "not-found"),
        ("/campaigns/shared/pause", json!({"reason": "why", "account": "acc-two"}), "not-found"),
        ("/campaigns/shared/cancel", json!({"reason": "why", "account": "acc-nine"}), "not-found"),
        ("/plans/x/approve", because.clone(), "account-scope"),
        ("/suppressions", json!({"reason": "why", "phones": ["+237671000003"]}), "account-scope"),
        (
            "/messages/resolve",
            json!({"reason": "why", "ids": ["shared/acc-two/two-a/1"], "outcome": "sent"}),
            "not-found",
        ),
    ] {
        assert_eq!(desk.post(&token, path, &body).problem(), code, "{path}");
    }
    assert_eq!(desk.everything().await, before);
    let answer = desk.post(&token, "/campaigns/shared/pause", &because).json();
    assert_eq!((&answer["account"], &answer["runs"]), (&json!("acc-one"), &json!(1)));
    let uncertain = json!({"reason": "why", "ids": ["shared/acc-one/one-b/1"], "outcome": "sent"});
    assert_eq!(desk.post(&token, "/messages/resolve", &uncertain).json()["resolved"], 1);
    let runs = desk.world().runs().await;
    assert!(runs.contains(&"shared acc-one paused operator".to_owned()), "{runs:?}");
    assert!(runs.contains(&"shared acc-two active running".to_owned()), "{runs:?}");
}
