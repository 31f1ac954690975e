//! Lists and single resources: pages, cursors, tags, compression.

use serde_json::{Value, json};

use super::desk::{Ask, BASE, Desk, PHONES, world};

/// Every list, without filters.
const LISTS: [&str; 8] =
    ["/campaigns", "/campaigns/shared/targets", "/runs", "/targets", "/messages", "/events", "/accounts", "/config"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_any_size_make_up_the_same_list() {
    let desk = Desk::open(world().await).await;
    for path in LISTS.iter().chain(&["/revisions"]) {
        let whole = desk.all(&desk.viewer, path, 500);
        assert!(!whole.is_empty(), "{path}");
        for limit in [1, 2, 3] {
            assert_eq!(desk.all(&desk.viewer, path, limit), whole, "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_goes_on_after_its_last_item_whatever_was_added_before_it() {
    let desk = Desk::open(world().await).await;
    let page = desk.get(&desk.viewer, "/runs?limit=2").json();
    let last = |page: &Value| page["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last(&page)["campaign"], &last(&page)["account"]), (&json!("second"), &json!("acc-two")));
    desk.world().account("acc-first").await;
    desk.world()
        .sql(
            "insert into run (account_id, campaign_id, phase, reason, detail, created_at, revision_id)
             select a.id, c.id, 'active', 'running', '{\"code\": \"running\"}', '2026-11-30Z', 1
             from account a, campaign c where a.external_id = 'acc-first' and c.name = 'first'",
        )
        .await;
    let next = page["next"].as_str().unwrap();
    let page = desk.get(&desk.viewer, &format!("/runs?limit=2&cursor={next}")).json();
    let names: Vec<&Value> = page["items"].as_array().unwrap().iter().map(|run| &run["account"]).collect();
    assert_eq!(names, ["acc-one", "acc-two"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_of_another_list_is_refused() {
    let desk = Desk::open(world().await).await;
    let cursor = desk.get(&desk.viewer, "/runs?limit=1").json()["next"].as_str().unwrap().to_owned();
    for path in ["/runs?phase=active", "/runs?account=acc-one", "/targets?", "/events?", "/campaigns/shared/targets?"] {
        let answer = desk.get(&desk.viewer, &format!("{path}&cursor={cursor}"));
        assert_eq!(answer.problem(), "cursor-mismatch", "{path}");
    }
    for broken in ["", "x", "%F0%9F", "AAAA", &cursor[1..], &format!("{cursor}=="), &"A".repeat(5_000)] {
        let answer = desk.get(&desk.viewer, &format!("/runs?cursor={broken}"));
        assert_eq!(answer.problem(), "cursor-mismatch", "{broken}");
    }
    // The size of a page is no filter.
    assert_eq!(desk.get(&desk.viewer, &format!("/runs?limit=500&cursor={cursor}")).status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_select_and_unknown_ones_are_told() {
    let desk = Desk::open(world().await).await;
    let count = |path: &str| desk.all(&desk.viewer, path, 500).len();
    assert_eq!(count("/runs?campaign=shared"), 2);
    assert_eq!(count("/runs?account=acc-one&phase=active"), 2);
    assert_eq!(count("/targets?referral=one-a"), 2);
    assert_eq!(count("/campaigns/shared/targets?account=acc-two&state=active"), 2);
    assert_eq!(count("/messages?state=uncertain"), 1);
    assert_eq!(count("/messages?day=2"), 0);
    assert_eq!(count("/events?since=2026-12-24T00:00:00Z"), 0);
    for (path, code, pointer) in [
        ("/runs?limit=0", "invalid-parameter", "limit"),
        ("/runs?limit=501", "invalid-parameter", "limit"),
        ("/runs?limit=-1", "invalid-parameter", "limit"),
        ("/runs?limit=99999999999", "invalid-parameter", "limit"),
        ("/runs?limit=1&limit=2", "invalid-parameter", ""),
        ("/runs?phase=stopped", "invalid-parameter", "phase"),
        ("/runs?campain=shared", "invalid-parameter", ""),
        ("/runs?campaign=%00", "invalid-parameter", ""),
        ("/messages?day=0", "invalid-parameter", "day"),
        ("/messages?day=40000", "invalid-parameter", "day"),
        ("/events?since=yesterday", "invalid-parameter", "since"),
        ("/campaigns/shared?limit=1", "invalid-parameter", ""),
    ] {
        let answer = desk.get(&desk.viewer, path);
        assert_eq!((answer.status, answer.problem()), (422, code.to_owned()), "{path}");
        let told = answer.json()["errors"][0]["pointer"].as_str().unwrap().to_owned();
        assert!(pointer.is_empty() || told == pointer, "{path}: {answer:?}");
    }
    let allowed = desk.get(&desk.viewer, "/runs?phase=stopped").json()["detail"].as_str().unwrap().to_owned();
    assert!(allowed.contains("`draft`") && allowed.contains("`cancelled`"), "{allowed}");
    for path in [
        "/runs?campaign=nope",
        "/runs?account=nope",
        "/targets?referral=nope",
        "/campaigns/nope",
        "/campaigns/nope/targets",
        "/campaigns/%00",
        "/campaigns/x%2fy",
        "/revisions/99",
        "/revisions/x",
        "/revisions/99999999999999",
    ] {
        assert_eq!(desk.get(&desk.viewer, path).problem(), "not-found", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_resource_is_sent_again_only_when_it_changed() {
    let desk = Desk::open(world().await).await;
    for path in ["/campaigns/shared", "/revisions/1"] {
        let first = desk.get(&desk.viewer, path);
        let tag = first.header("etag").unwrap();
        let again = |tag: &str| {
            let request = Ask::get(&format!("{BASE}{path}")).with(&format!("If-None-Match: {tag}"));
            desk.ask(&desk.viewer, request)
        };
        for known in [tag, tag.trim_start_matches("W/"), &format!("\"x\", {tag}"), "*"] {
            let answer = again(known);
            assert_eq!((answer.status, answer.body.as_str()), (304, ""), "{known}");
            assert_eq!(answer.header("etag"), Some(tag));
        }
        assert_eq!(again("\"x\"").body, first.body);
    }
    let tag = desk.get(&desk.viewer, "/campaigns/shared").header("etag").unwrap().to_owned();
    desk.world().sql("update message set state = 'read', sent_at = queued_at where state = 'uncertain'").await;
    let request = Ask::get(&format!("{BASE}/campaigns/shared")).with(&format!("If-None-Match: {tag}"));
    assert_eq!(desk.ask(&desk.viewer, request).status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phones_are_whole_only_for_operators() {
    let desk = Desk::open(world().await).await;
    for path in LISTS.iter().chain(&["/revisions", "/campaigns/shared", "/revisions/1"]) {
        let answer = desk.get(&desk.viewer, path);
        assert!(!answer.body.contains(PHONES), "{path}: {}", answer.body);
    }
    for path in ["/messages", "/accounts"] {
        assert!(desk.get(&desk.viewer, path).body.contains("+2376*****"), "{path}");
        assert!(desk.get(&desk.operator, path).body.contains(PHONES), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_answers_are_compressed_for_clients_that_ask() {
    let desk = Desk::open(world().await).await;
    let request = Ask::get(&format!("{BASE}/messages")).with("Accept-Encoding: gzip");
    let answer = desk.ask(&desk.viewer, request);
    assert_eq!((answer.status, answer.header("content-encoding")), (200, Some("gzip")));
    assert_eq!(desk.get(&desk.viewer, "/messages").header("content-encoding"), None);
}
