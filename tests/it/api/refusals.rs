//! Bad requests, over every operation of the description: the right status, the form of a problem, nothing changed, and
//! nothing of SQL, paths or phones in the answer.

use relance::core::access::{Role, Token};
use serde_json::{Value, json};

use super::desk::{Answer, Ask, BASE, Desk, PHONES, ask, world};

/// The method and path, below the base, of every operation of the description.
pub(super) fn operations(desk: &Desk) -> Vec<(String, String)> {
    let description = ask(desk.house.address, &Ask::get("/api/openapi.json")).json();
    let mut found = Vec::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        let path = path.strip_prefix(BASE).unwrap();
        found.extend(operations.as_object().unwrap().keys().map(|method| (method.clone(), path.to_owned())));
    }
    assert!(found.len() >= 18, "{found:?}");
    found
}

/// A request for an operation that would be answered, were nothing wrong with it.
fn request(method: &str, path: &str) -> Ask {
    let named = path.replace("{name}", "shared").replace("{number}", "1").replace("{digest}", "abc");
    let path = format!("{BASE}{named}");
    match method {
        "get" => Ask::get(&path),
        "post" => Ask::post(&path, &body(&named).to_string()),
        other => panic!("the test does not know `{other}`"),
    }
}

fn body(path: &str) -> Value {
    match path {
        "/suppressions" => json!({"phones": [format!("{PHONES}0001")], "reason": "asked"}),
        "/messages/resolve" => json!({"ids": ["shared/acc-one/one-b/1"], "outcome": "sent", "reason": "seen"}),
        _ => json!({"reason": "why"}),
    }
}

fn tells_nothing(answer: &Answer, about: &str) {
    let text = format!("{}\n{}", answer.head, answer.body).to_lowercase();
    for word in
        ["select ", "insert ", "postgres", "sqlx", "relation", "/src/", ".rs", "/tmp", "/home", "panicked", PHONES]
    {
        assert!(!text.contains(word), "{about}: `{word}` in {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_request_to_any_operation_changes_and_tells_nothing() {
    let desk = Desk::open(world().await).await;
    let scoped = desk.token("scoped", Role::Operator, Some("acc-one")).await;
    let wrong = Token::new(Role::Operator, [3; 32]).reveal().to_owned();
    let before = desk.everything().await;
    for (method, path) in operations(&desk) {
        let fine = request(&method, &path);
        let is_post = method == "post";
        let check = |about: &str, answer: &Answer, status: u16, code: &str| {
            let about = format!("{about}: {method} {path}");
            tells_nothing(answer, &about);
            assert_eq!((answer.status, answer.problem().as_str()), (status, code), "{about}: {answer:?}");
        };
        check("no token", &ask(desk.house.address, &fine), 401, "unauthorized");
        let answer = desk.ask(&wrong, fine.clone());
        if answer.status != 429 {
            check("wrong token", &answer, 401, "unauthorized");
        }
        check("ingest", &desk.ask(&desk.ingest, fine.clone()), 403, "role-too-low");
        let mut other = fine.clone();
        other.method = "DELETE";
        let answer = desk.ask(&desk.operator, other);
        check("method", &answer, 405, "method-not-allowed");
        assert!(answer.header("allow").is_some_and(|allow| allow.contains(&method.to_uppercase())), "{answer:?}");
        if !is_post {
            let unknown = Ask { path: format!("{}?nonsense=1", fine.path), ..fine.clone() };
            check("unknown parameter", &desk.ask(&desk.viewer, unknown), 422, "invalid-parameter");
            let cursor = Ask { path: format!("{}?cursor=AAAA", fine.path), ..fine.clone() };
            let answer = desk.ask(&desk.viewer, cursor);
            let is_list = answer.status == 400;
            check(
                "cursor",
                &answer,
                if is_list { 400 } else { 422 },
                if is_list { "cursor-mismatch" } else { "invalid-parameter" },
            );
            continue;
        }
        check("viewer", &desk.ask(&desk.viewer, fine.clone()), 403, "role-too-low");
        let sent = |body: &[u8]| Ask { body: body.to_vec(), ..fine.clone() };
        let plain = Ask { head: "Content-Type: text/plain\r\n".to_owned(), ..fine.clone() };
        check("type", &desk.ask(&desk.operator, plain), 415, "unsupported-media-type");
        let none = Ask { head: String::new(), ..fine.clone() };
        check("no type", &desk.ask(&desk.operator, none), 415, "unsupported-media-type");
        let packed = fine.clone().with("Content-Encoding: gzip");
        check("packed", &desk.ask(&desk.operator, packed), 415, "unsupported-media-type");
        let large = sent(b"").with("Content-Length: 300000");
        check("large", &desk.ask(&desk.operator, large), 413, "body-too-large");
        for body in [&b""[..], b"{", b"{\"reason\": \"\xff\"}", b"nonsense"] {
            check("syntax", &desk.ask(&desk.operator, sent(body)), 400, "bad-request");
        }
        let good = body(&path);
        for (field, value) in [
            ("reason", json!("  ")),
            ("reason", json!(1)),
            ("reason", json!("x".repeat(1_001))),
            ("reason", json!("a\u{0}b")),
            ("nonsense", json!(true)),
        ] {
            let mut bad = good.clone();
            bad[field] = value;
            check(field, &desk.ask(&desk.operator, sent(bad.to_string().as_bytes())), 422, "invalid-body");
        }
        let parameters = Ask { path: format!("{}?nonsense=1", fine.path), ..fine.clone() };
        check("unknown parameter", &desk.ask(&desk.operator, parameters), 422, "invalid-parameter");
        if path.contains("{name}") {
            let foreign = Ask { path: fine.path.replace("shared", "second"), ..fine.clone() };
            check("foreign campaign", &desk.ask(&scoped, foreign), 404, "not-found");
        }
    }
    assert_eq!(desk.everything().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_paths_and_texts_are_not_found_and_come_back_as_data() {
    let desk = Desk::open(world().await).await;
    let before = desk.everything().await;
    for path in [
        "/campaigns/..%2f..%2fetc%2fpasswd",
        "/campaigns/%2e%2e",
        "/campaigns/'%3b%20drop%20table%20run%3b--",
        "/campaigns/%7b%7b7*7%7d%7d",
        "/campaigns/%3Cscript%3E",
        "/campaigns/%E2%80%AE",
        &format!("/campaigns/{}", "a".repeat(5_000)),
        "/nothing",
        "",
        "/",
    ] {
        let answer = desk.get(&desk.viewer, path);
        tells_nothing(&answer, path);
        assert_eq!(answer.problem(), "not-found", "{path}");
    }
    assert_eq!(desk.get(&desk.viewer, "/campaigns/%ff").problem(), "bad-request");
    let markup = "<script>alert(1)</script> {{ 7*7 }} \u{202e}";
    let answer = desk.post(&desk.operator, "/campaigns/shared/pause", &json!({"reason": markup}));
    assert_eq!(answer.json()["reason"], markup);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_ne!(desk.everything().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_problem_type_is_described_where_it_says() {
    let desk = Desk::open(world().await).await;
    let problem = desk.get("nonsense", "/runs").json();
    let described = ask(desk.house.address, &Ask::get(problem["type"].as_str().unwrap()));
    assert_eq!(described.status, 200);
    assert!(described.body.contains("401: No valid token"), "{}", described.body);
    assert_eq!(ask(desk.house.address, &Ask::get("/problems/nonsense")).problem(), "not-found");
    let docs = ask(desk.house.address, &Ask::get("/api/docs"));
    assert!(docs.status == 200 && docs.body.contains("/api/openapi.json"));
}
