//! What becomes of messages, told by posts of a provider.

use chrono::TimeDelta;
use relance::core::domain::{AccountId, Callback, CampaignId, InstallationId, MessageKey, ReferralId, TargetKey};
use serde_json::{Value, json};

use crate::support::house::{House, MONDAY, fill, seconds};
use crate::support::world::World;

/// Messages 1 to 10: the tenth is uncertain.
async fn ten() -> House {
    fill(World::at(MONDAY).await, 10).await
}

fn status(id: &str, key: Option<&str>, status: &str, at: &str) -> Value {
    let mut update = json!({"id": id, "status": status, "timestamp": seconds(at), "surprise": {"deep": [1]}});
    if let Some(key) = key {
        update["biz_opaque_callback_data"] = json!(key);
    }
    json!({"statuses": [update], "news": true})
}

async fn message(house: &House, id: i64) -> String {
    let query = format!(
        "select concat_ws(' ', state, provider_id, to_char(sent_at at time zone 'utc', 'HH24:MI'),
                          to_char(delivered_at at time zone 'utc', 'HH24:MI'), error) from message where referral_id = {id}"
    );
    house.world.one(&query).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_is_matched_by_our_key_or_the_provider_id() {
    let mut house = ten().await;
    assert_eq!(message(&house, 10).await, "uncertain no answer");
    // What the provider calls it was never told beside what we call it.
    house.tell("messages", &status("wamid.10", None, "delivered", "2026-11-29T08:05:00Z")).await;
    assert_eq!(message(&house, 10).await, "uncertain no answer");
    house.tell("messages", &status("wamid.10", Some("relance.3.1.10.1"), "sent", "2026-11-29T08:03:00Z")).await;
    assert_eq!(message(&house, 10).await, "sent wamid.10 08:03");
    house.tell("messages", &status("wamid.10", None, "delivered", "2026-11-29T08:05:00Z")).await;
    assert_eq!(message(&house, 10).await, "delivered wamid.10 08:03 08:05");
    // Somebody else's message of the same number, and a key that nobody has.
    for (id, key) in [("wamid.x", "relance.3.1.10.1"), ("wamid.y", "relance.99.1.10.1"), ("wamid.z", "other")] {
        house.tell("messages", &status(id, Some(key), "read", "2026-11-29T08:06:00Z")).await;
    }
    assert_eq!(message(&house, 10).await, "delivered wamid.10 08:03 08:05");
    let known: Vec<String> = house.world.column("select provider_id from provider_message").await;
    assert_eq!(known, ["wamid.10"]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_installation_processes_only_its_own_statuses() {
    let mut house = ten().await;
    let store = house.world.store();
    let (ours, again) = tokio::join!(store.installation_id(), store.installation_id());
    assert_eq!(ours.as_ref().unwrap(), &again.unwrap());
    let key = MessageKey {
        target: TargetKey { account: AccountId(3), campaign: CampaignId(1), referral: ReferralId(10) },
        day: 1,
    };
    let theirs = Callback::new(InstallationId::parse("00000000").as_ref(), key).to_string();
    house.tell("messages", &status("wamid.t", Some(&theirs), "delivered", "2026-11-29T08:05:00Z")).await;
    assert_eq!(message(&house, 10).await, "uncertain no answer");
    assert_eq!(house.world.count("provider_message").await, 0);
    // Without a mark it speaks of no message that has one: it came from somebody who had none yet.
    house.world.sql("update installation set made_at = '2026-11-29Z'").await;
    let mut old = status("wamid.u", Some("relance.3.1.10.1"), "failed", "2026-11-29T08:05:00Z");
    old["statuses"][0]["errors"] = json!([{"code": 131_050, "title": "stopped"}]);
    old["statuses"][0]["recipient_id"] = json!("5511999");
    house.tell("messages", &old).await;
    assert_eq!(message(&house, 10).await, "uncertain no answer");
    let traces = "select (select count(*) from alias) + (select count(*) from suppression)
                       + (select count(*) from provider_message)";
    assert_eq!(house.world.one::<i64>(traces).await, 0);
    let ours = Callback::new(ours.as_ref().ok(), key).to_string();
    house.tell("messages", &status("wamid.o", Some(&ours), "delivered", "2026-11-29T08:05:00Z")).await;
    assert_eq!(message(&house, 10).await, "delivered wamid.o 08:05 08:05");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_update_is_recorded_and_blocks_no_other() {
    let mut house = ten().await;
    let mut value = status("wamid.1", Some("relance.2.1.1.1"), "delivered", "2026-11-29T08:05:00Z");
    value["statuses"].as_array_mut().unwrap().splice(0..0, [json!({"status": "read"}), json!(7), Value::Null]);
    value["messages"] = json!("none");
    house.tell("messages", &value).await;
    assert_eq!(message(&house, 1).await, "delivered wamid.1 08:00 08:05");
    let told = house.world.column("select error from webhook where processed_at is not null").await;
    assert_eq!(told, ["a status without an `id`, or of an unknown kind"]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unprocessable_webhook_is_retried_and_kept_and_blocks_no_other() {
    let mut house = ten().await;
    house
        .world
        .sql("alter table message add constraint trouble check (referral_id <> 1 or state <> 'delivered')")
        .await;
    for n in 1..=3 {
        let key = format!("relance.{}.1.{n}.1", n + 1);
        house.post(&status(&format!("wamid.{n}"), Some(&key), "delivered", "2026-11-29T08:05:00Z"));
    }
    assert_eq!(house.tick().await, 3);
    for n in 2..=3 {
        assert_eq!(message(&house, n).await, format!("delivered wamid.{n} 08:00 08:05"));
    }
    let waits = "select concat_ws(' ', id, attempts, due_at at time zone 'utc', processed_at is not null) from webhook
                 where error is not null or processed_at is null";
    assert_eq!(house.world.column(waits).await, ["1 1 2026-11-30 08:00:05 f"]);
    assert_eq!(house.tick().await, 0);
    house.at("2026-11-30T08:00:05Z").await;
    assert_eq!(house.tick().await, 1);
    assert_eq!(house.world.column(waits).await, ["1 2 2026-11-30 08:00:15 f"]);
    // Nine attempts later nobody tries any more.
    for _ in 0..8 {
        house.at(&(house.world.now + TimeDelta::hours(1)).to_rfc3339()).await;
        assert_eq!(house.tick().await, 1);
    }
    assert_eq!(house.world.column(waits).await, ["1 10 f"]);
    house.at("2026-12-01T08:00:00Z").await;
    assert_eq!(house.tick().await, 0);
    let error: String = house.world.one("select error from webhook where id = 1").await;
    assert!(error.contains("trouble"), "{error}");
    // Whoever died with a post in hand leaves it to others, after a minute.
    house.post(&status("wamid.4", Some("relance.5.1.4.1"), "delivered", "2026-11-29T08:05:00Z"));
    let (store, now) = (house.world.store().clone(), house.world.now);
    assert_eq!(store.claim_webhooks(now, now + TimeDelta::minutes(1)).await.unwrap().len(), 1);
    assert_eq!(house.tick().await, 0);
    house.at("2026-12-01T08:01:00Z").await;
    assert_eq!(house.tick().await, 1);
    assert_eq!(message(&house, 4).await, "delivered wamid.4 08:00 08:05");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processed_webhooks_are_deleted_after_a_week() {
    let mut house = ten().await;
    house.tell("messages", &status("wamid.1", Some("relance.2.1.1.1"), "read", "2026-11-29T08:05:00Z")).await;
    let value = json!({"event": "PAUSED", "message_template_name": "welcome", "message_template_language": "fr"});
    for _ in 0..2 {
        house.tell("message_template_status_update", &value).await;
    }
    let told = "select detail from event where kind = 'provider-notice'";
    assert_eq!(house.world.sentences(told).await, ["wa: the template `welcome` (fr) is PAUSED"]);
    let counts = "select concat((select count(*) from webhook), ' ', (select count(*) from inbound))";
    for (now, left) in
        [("2026-12-07T08:59:00Z", "3 1"), ("2026-12-07T09:00:00Z", "0 1"), ("2027-01-05T08:00:00Z", "0 1")]
    {
        house.world.run_until(now.parse().unwrap()).await;
        assert_eq!(house.world.one::<String>(counts).await, left, "{now}");
    }
    house.close().await;
}
