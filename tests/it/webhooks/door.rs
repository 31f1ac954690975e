//! Who is let in: the handshake, signatures, and what is refused without a trace but a line in the log.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sqlx::PgPool;

use crate::support::daemon::{Daemon, folder, import, relancectl, until, until_logged};
use crate::support::database::database;
use crate::support::house::{House, MONDAY, SECRET, TOKEN, call, channel, envelope, post, signature};
use crate::support::rows::{count, one};
use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::World;

/// The address that a daemon says it listens on.
fn address(daemon: &Daemon) -> SocketAddr {
    until_logged(daemon, "listening address=");
    let log = daemon.log();
    let (_, after) = log.split_once("listening address=").unwrap();
    after.split_whitespace().next().unwrap().parse().unwrap()
}

fn handshake(address: SocketAddr, channel: &str, mode: &str, token: &str) -> (u16, String) {
    let token = token.replace(' ', "%20");
    let query = format!("hub.mode={mode}&hub.challenge=1158201444&hub.verify_token={token}");
    call(address, &format!("GET /webhooks/{channel}?{query}"), "", b"")
}

/// Everything that a post may change.
async fn everything(pool: &PgPool) -> String {
    one(
        pool,
        "select concat_ws(E'\\n', (select string_agg(m::text, E'\\n' order by m::text) from message m),
                          (select string_agg(t::text, E'\\n' order by t::text) from target t),
                          (select string_agg(s::text, E'\\n' order by s::text) from suppression s),
                          (select string_agg(i::text, E'\\n' order by i::text) from inbound i))",
    )
    .await
}

#[tokio::test]
async fn a_daemon_accepts_webhooks_only_from_the_provider() {
    let (dir, db) = (folder(), database().await);
    let url = db.url();
    import(dir.path(), Some(&url), 1, 1);
    fs::create_dir(dir.path().join("campaigns")).unwrap();
    let tree = tree(2, NO_PACE, &[("c", ALWAYS)]) + &channel(&dir);
    fs::write(dir.path().join("campaigns/tree.yaml"), tree).unwrap();
    let daemon = Daemon::start(dir.path(), Some(&url), &["run", "--listen", "127.0.0.1:0"]);
    let address = address(&daemon);
    assert_ne!(address.port(), 0);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(call(address, &format!("GET {path}"), "", b""), (200, "ok\n".to_owned()));
    }
    // Until its manifests are in force there is no such channel.
    let began = Instant::now();
    while handshake(address, "wa", "subscribe", TOKEN).0 == 404 {
        assert!(began.elapsed() < Duration::from_mins(1), "{}", daemon.log());
    }
    assert_eq!(handshake(address, "wa", "subscribe", TOKEN), (200, "1158201444".to_owned()));
    assert_eq!(handshake(address, "wa", "subscribe", "another token").0, 403);
    assert_eq!(handshake(address, "wa", "unsubscribe", TOKEN).0, 403);
    assert_eq!(handshake(address, "other", "subscribe", TOKEN).0, 404);
    until(&db.pool, &daemon, "select count(*) = 1 from message where state = 'sent'").await;

    // All of these would say STOP if they were heard.
    let message = serde_json::json!({"messages": [{"id": "in.1", "from": "237671010000", "text": {"body": "STOP"}}]});
    let body = envelope("messages", &message);
    let before = everything(&db.pool).await;
    let plain = format!("Content-Length: {}\r\n", body.len());
    let signed = |signature: &str| format!("{plain}X-Hub-Signature-256: {signature}\r\n");
    let posted = |head: &str| call(address, "POST /webhooks/wa", head, body.as_bytes()).0;
    for _ in 0..3 {
        assert_eq!(post(address, body.as_bytes(), "some other secret").0, 401);
        assert_eq!(posted(&plain), 401);
    }
    assert_eq!(posted(&signed("sha256=")), 401);
    let other_body = body.replace("STOP", "stop");
    assert_eq!(posted(&signed(&signature(other_body.as_bytes(), SECRET))), 401);
    // The secret is another one by now.
    fs::write(dir.path().join("app"), "a new secret\n").unwrap();
    assert_eq!(post(address, body.as_bytes(), SECRET).0, 401);
    // Announced as 10 MB; and 3 MB and some, unannounced.
    let head = format!("X-Hub-Signature-256: {}\r\nContent-Length: 10000000\r\n", signature(b"", "a new secret"));
    assert_eq!(call(address, "POST /webhooks/wa", &head, b"").0, 413);
    let chunk = [b"10000\r\n" as &[u8], &vec![b' '; 0x10000], b"\r\n"].concat();
    let head = format!("X-Hub-Signature-256: {}\r\nTransfer-Encoding: chunked\r\n", signature(b"", "a new secret"));
    assert_eq!(call(address, "POST /webhooks/wa", &head, &[chunk.repeat(48), b"1\r\n \r\n".to_vec()].concat()).0, 413);
    let broken = &body.as_bytes()[..body.len() - 1];
    assert_eq!(post(address, broken, "a new secret").0, 400);
    assert_eq!(call(address, "POST /webhooks/other", &plain, body.as_bytes()).0, 404);
    fs::remove_file(dir.path().join("app")).unwrap();
    assert_eq!(post(address, body.as_bytes(), "a new secret").0, 503);

    assert_eq!(count(&db.pool, "webhook").await, 0);
    assert_eq!(everything(&db.pool).await, before);

    // With the right secret it is heard, at once.
    fs::write(dir.path().join("app"), "a new secret\n").unwrap();
    assert_eq!(post(address, body.as_bytes(), "a new secret").0, 200);
    until(&db.pool, &daemon, "select exists (select from suppression where phone = '+237671010000')").await;
    until(&db.pool, &daemon, "select bool_and(processed_at is not null) from webhook").await;
    assert_eq!(one::<String>(&db.pool, "select exit_reason from target").await, "opted-out");

    let log = daemon.log();
    let (status, took) = daemon.stop();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(20), "{took:?}");
    for reason in [
        "the verify token is not ours",
        "it is not signed",
        "its signature is wrong",
        "it is too large",
        "it is not JSON",
        "there is no such channel",
        "the secret of the channel cannot be read",
    ] {
        assert_eq!(log.matches(&format!("refused a webhook: {reason}")).count(), 1, "{reason}\n{log}");
    }
    for secret in [SECRET, "a new secret", TOKEN, "another token", "STOP", "237671010000", "1158201444"] {
        assert!(!log.contains(secret), "{secret}\n{log}");
    }
}

#[tokio::test]
async fn repeated_refusals_are_logged_with_a_count_at_shutdown() {
    let (dir, db) = (folder(), database().await);
    fs::create_dir(dir.path().join("campaigns")).unwrap();
    fs::write(dir.path().join("campaigns/tree.yaml"), tree(2, NO_PACE, &[("c", ALWAYS)])).unwrap();
    let mut daemon =
        Daemon::start(dir.path(), Some(&db.url()), &["run", "--roles", "serve", "--listen", "127.0.0.1:0"]);
    let address = address(&daemon);
    for n in 0..5 {
        assert_eq!(handshake(address, &format!("guess-{n}"), "subscribe", TOKEN).0, 404);
    }
    // Only this role: nobody reconciles.
    assert_eq!(count(&db.pool, "revision").await, 0);
    daemon.signal(Signal::TERM);
    until_logged(&daemon, "stopped");
    let log = daemon.log();
    assert_eq!(daemon.wait().code(), Some(0));
    assert!(log.contains("refused webhooks: there is no such channel channel.name=\"?\" count=4"), "{log}");
    assert!(!log.contains("guess"), "{log}");
}

#[tokio::test]
async fn the_serve_role_requires_a_listen_address() {
    let dir = folder();
    let output = relancectl(dir.path(), None, &["run", "--roles", "serve"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("the role `serve` needs an address: add `--listen 127.0.0.1:8080`"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_postgres_is_unready_and_answers_503() {
    let dir = folder();
    let mut world = World::at(MONDAY).await;
    world.apply(&(tree(2, NO_PACE, &[("c", ALWAYS)]) + &channel(&dir))).await;
    let house = House::open(world, dir).await;
    let body = envelope("messages", &serde_json::json!({"statuses": []}));
    assert_eq!(call(house.address, "GET /readyz", "", b"").0, 200);
    assert_eq!(post(house.address, body.as_bytes(), SECRET).0, 200);
    house.world.store().close().await;
    assert_eq!(call(house.address, "GET /healthz", "", b"").0, 200);
    assert_eq!(call(house.address, "GET /readyz", "", b""), (503, "Postgres does not answer\n".to_owned()));
    assert_eq!(post(house.address, body.as_bytes(), SECRET), (503, "it could not be written down\n".to_owned()));
    // What does not need it is as before.
    assert_eq!(handshake(house.address, "wa", "subscribe", TOKEN).0, 200);
    assert_eq!(post(house.address, body.as_bytes(), "another").0, 401);
    house.close().await;
}
