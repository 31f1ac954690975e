//! Access: tokens, hosts, headers, rates.

use futures_util::future::join_all;
use relance::core::access::{Role, Token};
use relance::store::{Error, Revoked};

use super::desk::{Ask, BASE, Desk, ask, ask_host, world};
use crate::support::daemon::folder;
use crate::support::house::House;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wrong_token_gets_the_same_answer() {
    let desk = Desk::open(world().await).await;
    let store = desk.world().store().clone();
    let now = desk.world().now;
    let unknown = Token::new(Role::Operator, [7; 32]).reveal().to_owned();
    let revoked = desk.token("revoked", Role::Operator, None).await;
    assert_eq!(store.revoke_token("revoked", "test", now).await.unwrap(), Revoked::Done);
    let expired = desk.token("expired", Role::Operator, None).await;
    desk.world().sql(&format!("update api_token set expires_at = '{}' where name = 'expired'", now.to_rfc3339())).await;
    let mut seen = Vec::new();
    for head in [
        String::new(),
        "Authorization: Bearer".to_owned(),
        "Authorization: Basic YTpi".to_owned(),
        format!("Authorization: Bearer {unknown}"),
        format!("Authorization: Bearer {revoked}"),
        format!("Authorization: Bearer {expired}"),
        format!("Authorization: Bearer {}", &desk.operator[..desk.operator.len() - 1]),
        format!("Authorization: {}", desk.operator),
    ] {
        let request = Ask::get(&format!("{BASE}/runs"));
        let answer = ask(desk.house.address, &if head.is_empty() { request } else { request.with(&head) });
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(answer.problem(), "unauthorized");
        let mut problem = answer.json();
        problem["instance"].take();
        seen.push(problem);
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    // The scheme is not case-sensitive.
    let request = Ask::get(&format!("{BASE}/runs")).with(&format!("authorization: bearer {}", desk.viewer));
    assert_eq!(ask(desk.house.address, &request).status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_is_refused_at_once() {
    let desk = Desk::open(world().await).await;
    assert_eq!(desk.get(&desk.viewer, "/runs").status, 200);
    let store = desk.world().store();
    assert_eq!(store.revoke_token("viewer", "test", desk.world().now).await.unwrap(), Revoked::Done);
    assert_eq!(desk.get(&desk.viewer, "/runs").problem(), "unauthorized");
    assert_eq!(desk.get(&desk.operator, "/runs").status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_are_damped_and_do_not_lock_out_the_right_token() {
    let desk = Desk::open(world().await).await;
    let guess = |n: u8| desk.get(Token::new(Role::Operator, [n; 32]).reveal(), "/runs");
    let answers: Vec<_> = (0..30).map(guess).collect();
    assert_eq!(answers[0].problem(), "unauthorized");
    let last = answers.last().unwrap();
    assert_eq!(last.problem(), "too-many-requests");
    assert!(last.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(desk.get(&desk.viewer, "/runs").status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_answers_only_under_its_own_names() {
    let desk = Desk::open(world().await).await;
    let request = Ask::get(&format!("{BASE}/runs")).with(&format!("Authorization: Bearer {}", desk.viewer));
    for host in ["localhost", "127.0.0.1:8080", "[::1]", "LOCALHOST"] {
        assert_eq!(ask_host(desk.house.address, host, &request).status, 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "10.0.0.5", "", "localhost\r\nHost: evil.example"] {
        let answer = ask_host(desk.house.address, host, &request);
        assert!(answer.status == 421 || answer.status == 400, "{host}: {answer:?}");
        assert!(!answer.body.contains("shared"), "{answer:?}");
    }
    // Providers post under any name.
    assert_eq!(ask_host(desk.house.address, "evil.example", &Ask::get("/healthz")).status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_has_the_security_headers() {
    let desk = Desk::open(world().await).await;
    for path in ["/healthz", "/api/relance/runs", "/api/openapi.json", "/nothing", "/webhooks/none"] {
        let answer = ask(desk.house.address, &Ask::get(path));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert!(answer.header("content-security-policy").unwrap().contains("default-src 'none'"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_use_of_a_token_is_recorded_coarsely() {
    let mut desk = Desk::open(world().await).await;
    let used = "select count(*) = 1 from api_token where name = 'viewer' and last_used_at = (select shown from clock)";
    assert_eq!(desk.get(&desk.viewer, "/runs").status, 200);
    while !desk.world().one::<bool>(used).await {
        tokio::task::yield_now().await;
    }
    let first: String = desk.world().one("select last_used_at::text from api_token where name = 'viewer'").await;
    // A use within five minutes writes nothing: the next look at the row is after the answer to a later request.
    desk.house.at("2026-11-30T11:04:00Z").await;
    assert_eq!(desk.get(&desk.viewer, "/runs").status, 200);
    assert_eq!(
        desk.world().one::<String>("select last_used_at::text from api_token where name = 'viewer'").await,
        first
    );
    desk.house.at("2026-11-30T11:05:00Z").await;
    assert_eq!(desk.get(&desk.viewer, "/runs").status, 200);
    while !desk.world().one::<bool>(used).await {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_have_connections_of_their_own_that_cannot_write() {
    let world = world().await;
    let readers = world.store().readers();
    let refused = readers.token_used(1, world.now).await.unwrap_err();
    let source = std::error::Error::source(&refused).unwrap().to_string();
    assert!(source.contains("read-only transaction"), "{source}");
    let mut lock = world.pool().begin().await.unwrap();
    sqlx::query("lock table api_token").execute(&mut *lock).await.unwrap();
    // Four readers wait for the lock until their time is over. The fifth gets no connection, and waits less.
    let slow = (0..4).map(|_| readers.bearer(&[0; 32], world.now));
    let (slow, fifth) = tokio::join!(join_all(slow), readers.now());
    assert!(matches!(fifth.unwrap_err(), Error::Unavailable { .. }));
    for refused in slow {
        assert!(matches!(refused.unwrap_err(), Error::StatementTimeout { .. }));
    }
    // The daemon's connections are not touched.
    assert!(world.store().now().await.is_ok());
    let house = House::open(world, folder()).await;
    let token = Token::new(Role::Viewer, [1; 32]);
    let request = Ask::get(&format!("{BASE}/runs")).with(&format!("Authorization: Bearer {}", token.reveal()));
    let answer = ask(house.address, &request);
    assert_eq!(answer.problem(), "busy");
    assert!(answer.header("retry-after").is_some());
    lock.rollback().await.unwrap();
}
