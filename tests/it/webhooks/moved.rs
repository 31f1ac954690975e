//! Receipts and answers find their message after two rows became one person.

use std::io::Cursor;

use chrono::TimeDelta;
use relance::facts::{Source, import};
use relance::store::Age;
use serde_json::{Value, json};

use super::people::{PAUL, house, suppressed};
use crate::support::house::{House, MONDAY, seconds};

const HEADER: &str = "id,account_id,name,phone,country,registered_at,consent\n";

/// An import names a newer row of the same phone, whose target it becomes.
async fn merge(house: &House, id: &str, registered: &str) {
    let file = format!("{HEADER}{id},a1,Paul,{PAUL},CM,{registered}T10:00:00Z,opted_in\n");
    let source = Source::stream("test", Cursor::new(file.into_bytes()));
    let age = Age { as_of: house.world.now, now: house.world.now };
    assert!(import::referrals(house.world.store(), source, age).await.unwrap().rejected.is_empty());
}

/// The provider's id of the message of day 1 to Paul in the first account.
async fn named(house: &mut House) -> String {
    house.world.sql("update message set provider_id = 'wamid.paul' where referral_id = 1").await;
    "wamid.paul".to_owned()
}

fn status(id: &str, status: &str) -> Value {
    let mut told = json!({"id": id, "status": status, "timestamp": seconds(MONDAY), "recipient_id": "237671000001",
                          "biz_opaque_callback_data": "relance.1.1.1.1"});
    if status == "failed" {
        told["errors"] = json!([{"code": 131_026, "title": "Message undeliverable"}]);
    }
    json!({"statuses": [told]})
}

async fn paul(house: &House) -> Vec<String> {
    house
        .world
        .column(&format!(
            "select r.external_id || ' ' || m.state from message m join referral r on r.id = m.referral_id
                          where m.account_id = 1 and r.phone = '{PAUL}'"
        ))
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_finds_its_message_after_two_rows_became_one_person() {
    for told in ["delivered", "read"] {
        let mut house = house().await;
        let id = named(&mut house).await;
        merge(&house, "r9", "2026-11-25").await;
        assert_eq!(paul(&house).await, ["r9 sent"]);
        house.tell("messages", &status(&id, told)).await;
        assert_eq!(paul(&house).await, [format!("r9 {told}")]);
        // Once more, to a third row.
        merge(&house, "r10", "2026-11-27").await;
        house.tell("messages", &status(&id, "read")).await;
        assert_eq!(paul(&house).await, ["r10 read"]);
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_takes_effect_after_two_rows_became_one_person() {
    let mut house = house().await;
    let id = named(&mut house).await;
    merge(&house, "r9", "2026-11-25").await;
    house.tell("messages", &status(&id, "failed")).await;
    assert_eq!(paul(&house).await, ["r9 failed"]);
    assert!(house.world.targets().await.contains(&"r9 c exited undeliverable day 2".to_owned()));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_without_our_key_and_an_answer_find_the_moved_message() {
    let mut house = house().await;
    let id = named(&mut house).await;
    house.tell("messages", &status(&id, "sent")).await;
    merge(&house, "r9", "2026-11-25").await;
    let mut bare = status(&id, "delivered");
    bare["statuses"][0].as_object_mut().unwrap().remove("biz_opaque_callback_data");
    house.tell("messages", &bare).await;
    assert_eq!(paul(&house).await, ["r9 delivered"]);
    // Nothing but the answered message tells who it is.
    let answer = json!({"id": "in.1", "from_user_id": "CM.5", "timestamp": seconds(MONDAY), "type": "text",
                        "text": {"body": "STOP"}, "context": {"id": id}});
    house.tell("messages", &json!({"metadata": {"phone_number_id": "901"}, "messages": [answer]})).await;
    assert_eq!(suppressed(&house).await, [PAUL]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_its_target_left_keeps_the_receipts_of_its_own_new_messages() {
    let mut house = house().await;
    let id = named(&mut house).await;
    merge(&house, "r9", "2026-11-25").await;
    // The first row is somebody else from now on, and is written to.
    house.world.sql("update referral set phone = '+237671000088', is_current = true where external_id = 'r1'").await;
    house
        .world
        .sql("update run set enroll_at = '2026-11-30Z', check_at = '2026-11-30Z', phase = 'active', finished_at = null")
        .await;
    house
        .world
        .sql(
            "insert into target (account_id, campaign_id, referral_id, state, day, due_at, enrolled_at, revision_id)
                     values (1, 1, 1, 'active', 2, '2026-12-01Z', '2026-11-30Z', 1)",
        )
        .await;
    house
        .world
        .sql(
            "insert into message (account_id, referral_id, campaign_id, day, state, attempts, quota_date, phone,
                                          language, text, revision_id, queued_at, sent_at, provider_id)
                     values (1, 1, 1, 1, 'sent', 1, '2026-11-30', '+237671000088', 'fr', 'Jour', 1, '2026-11-30Z',
                             '2026-11-30Z', 'wamid.other')",
        )
        .await;
    house.tell("messages", &status("wamid.other", "delivered")).await;
    house.tell("messages", &status(&id, "read")).await;
    let states =
        "select provider_id || ' ' || state from message where provider_id in ('wamid.other', 'wamid.paul') order by 1";
    assert_eq!(house.world.column(states).await, ["wamid.other delivered", "wamid.paul read"]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_failure_after_a_read_message_changes_nothing() {
    let mut house = house().await;
    let id = named(&mut house).await;
    for told in ["read", "failed"] {
        house.tell("messages", &status(&id, told)).await;
    }
    merge(&house, "r9", "2026-11-25").await;
    house.tell("messages", &status(&id, "failed")).await;
    assert_eq!(paul(&house).await, ["r9 read"]);
    assert!(house.world.targets().await.contains(&"r9 c active day 2".to_owned()));
    let mut world = house.close().await;
    world.run_for(TimeDelta::days(1)).await;
    assert_eq!(world.count(&format!("message where phone = '{PAUL}' and account_id = 1 and day = 2")).await, 1);
}
