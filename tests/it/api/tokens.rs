//! `relancectl token`: tokens that are shown once, listed without themselves, and refused from the moment of their end.

use relance::store::Speed;
use serde_json::Value;

use crate::get::relancectl;
use crate::support::world::World;

async fn empty() -> World {
    let world = World::at("2026-11-30T08:00:00Z").await;
    world.account("a1").await;
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    world
}

fn create(url: &str, args: &[&str]) -> (String, String, Option<i32>) {
    relancectl(url, &[&["token", "create", "--actor", "maria"], args].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_once_and_stored_as_a_hash() {
    let world = empty().await;
    let url = world.url();
    let (json, error, code) =
        create(&url, &["--role", "viewer", "--name", "ci", "--account", "a1", "--expires", "90d", "-o", "json"]);
    assert_eq!(code, Some(0), "{error}");
    let made: Value = serde_json::from_str(&json).unwrap();
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("rl_viewer_") && token.len() == "rl_viewer_".len() + 43 + 1 + 8, "{token}");
    assert_eq!((&made["role"], &made["account"]), (&"viewer".into(), &"a1".into()));
    assert_eq!(made["expires_at"], "2027-02-28T08:00:00Z");
    // As text, the token stands alone on standard output.
    let (text, note, _) = create(&url, &["--role", "operator", "--name", "ops"]);
    assert!(text.trim_end().starts_with("rl_operator_") && text.lines().count() == 1, "{text}");
    assert!(note.contains("not shown again"), "{note}");

    let stored: String = world.one("select string_agg(t::text, ' ') from api_token t").await;
    let secret = |token: &str| token.trim_end().rsplit_once('_').unwrap().0[14..].to_owned();
    for token in [token, &text] {
        assert!(!stored.contains(&secret(token)), "{stored}");
    }
    let (list, ..) = relancectl(&url, &["token", "list"]);
    assert!(list.contains("ci") && list.contains("works") && !list.contains(&secret(token)), "{list}");
    let (list, ..) = relancectl(&url, &["token", "list", "-o", "json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(
        (&list[0]["name"], &list[0]["created_by"], &list[1]["account"]),
        (&"ci".into(), &"maria".into(), &Value::Null)
    );
    assert!(list[0]["prefix"].as_str().is_some_and(|prefix| token.starts_with(prefix) && prefix.len() == 14));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_stands_for_one_token_at_a_time() {
    let world = empty().await;
    let url = world.url();
    assert_eq!(create(&url, &["--role", "viewer", "--name", "ci"]).2, Some(0));
    let (_, error, code) = create(&url, &["--role", "operator", "--name", "ci"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("a token `ci` exists already"), "{error}");
    let revoke = |name: &str| relancectl(&url, &["token", "revoke", name, "--actor", "maria"]);
    assert_eq!(revoke("ci").2, Some(0));
    assert!(revoke("ci").1.contains("revoked already"));
    assert!(revoke("ic").1.contains("no token `ic`"), "{}", revoke("ic").1);
    assert_eq!(create(&url, &["--role", "operator", "--name", "ci"]).2, Some(0));
    assert_eq!(world.count("api_token where name = 'ci'").await, 2);
    for (args, said) in [
        (&["--role", "viewer", "--name", "a b"][..], "no name for a token"),
        (&["--role", "admin", "--name", "x"], "invalid value 'admin'"),
        (&["--role", "viewer", "--name", "x", "--account", "a9"], "no account `a9`"),
        (&["--role", "viewer", "--name", "x", "--expires", "soon"], "invalid value 'soon'"),
        (&["--role", "viewer", "--name", "x", "--expires", "0s"], "a second at least"),
    ] {
        let (_, error, code) = create(&url, args);
        assert_eq!(code, Some(2), "{args:?}");
        assert!(error.contains(said), "{error}");
    }
    assert_eq!(world.count("api_token").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_does_not_send_tokens_in_plain_text_unless_told_to() {
    let world = empty().await;
    let url = world.url();
    for (address, said) in [
        ("http://relance.example.com", "sends tokens in plain text"),
        ("relance.example.com", "is no address"),
        ("https://relance.example.com/api", "has a path"),
    ] {
        let (_, error, code) = relancectl(&url, &["run", "--listen", "0.0.0.0:0", "--public-url", address]);
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(said), "{error}");
    }
    let (_, error, code) = relancectl(&url, &["run", "--public-url", "https://relance.example.com"]);
    assert!(code == Some(2) && error.contains("--listen"), "{error}");
}
