//! What was stopped goes on for those whom it concerns, when it is lifted, and for nobody else.

use relance::core::domain::{AccountId, CampaignId};
use relance::core::lifecycle::outcome::Reaction;
use relance::core::lifecycle::overrides::Scope;
use serde_json::{Value, json};

use super::stops::{NONE, TEMPLATE, house, tree};
use crate::support::daemon::folder;
use crate::support::house::{House, channel};
use crate::support::world::Fault;

impl House {
    /// A message failed after it was taken.
    async fn failed(&mut self, (key, id): &(String, String), code: u32) {
        let status = json!({"id": id, "status": "failed", "timestamp": "1796025600",
                            "biz_opaque_callback_data": key, "errors": [{"code": code, "title": "refused"}]});
        self.tell("messages", &json!({"statuses": [status]})).await;
        self.world.settle().await;
    }

    async fn faults(&self) -> i64 {
        self.world.one("select count(*) from run where fault_revision_id is not null").await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_refused_by_receipt_is_retried_after_approval() {
    let mut house = house().await;
    house.people().await;
    for names in house.names().await {
        house.failed(&names, 132_015).await;
    }
    assert_eq!(house.stopped().await, TEMPLATE);
    let bye = json!({"event": "APPROVED", "message_template_name": "bye", "message_template_language": "fr"});
    house.told(1, "message_template_status_update", &bye).await;
    assert_eq!(house.stopped().await, TEMPLATE);
    // The receipt did not say which template it was: any that the campaign uses may be the one.
    house.template(2, "UNPAUSED", Some("pt_BR")).await;
    assert_eq!(house.stopped().await, NONE);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_fault_is_cleared_when_the_run_resumes() {
    let mut house = house().await;
    for n in 1..=2 {
        house.world.channel.fail(&format!("+23767100000{n}"), &[Fault::Asks(Reaction::PauseRun)]);
    }
    house.people().await;
    assert_eq!((house.stopped().await, house.faults().await), (TEMPLATE.map(str::to_owned).to_vec(), 2));
    // They could not be written to for another reason meanwhile.
    for status in ["disconnected", "connected"] {
        house.world.numbers_are(status).await;
        house.world.facts_changed().await;
        house.world.settle().await;
    }
    assert_eq!((house.stopped().await.len(), house.faults().await), (0, 0));
    house.template(1, "PAUSED", Some("pt_BR")).await;
    assert_eq!(house.stopped().await, TEMPLATE);
    house.template(2, "UNPAUSED", Some("pt_BR")).await;
    assert_eq!(house.stopped().await, NONE);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_resume_never_lifts_a_template_restriction() {
    let mut house = house().await;
    house.template(1, "PAUSED", Some("fr")).await;
    let one = house.resume(Scope::Run(AccountId(1), CampaignId(1))).await;
    assert_eq!((one.lifted, house.stopped().await), (vec![], TEMPLATE.map(str::to_owned).to_vec()));
    let all = house.resume(Scope::Campaign(CampaignId(1))).await;
    let lifted: Vec<String> = all.lifted.iter().map(ToString::to_string).collect();
    assert_eq!(lifted, ["wa: the template `welcome` (fr) is PAUSED"]);
    assert_eq!(house.stopped().await, NONE);
    // Of the same name elsewhere, where this campaign sends nothing.
    house.world.sql("update provider_stop set is_stopped = true, channel = 'other'").await;
    let dir = folder();
    let by_channel = tree(&channel(&dir)).replace("sequenceRef: templates", "channelRef: wa, sequenceRef: templates");
    house.world.apply(&by_channel).await;
    assert_eq!(house.resume(Scope::Campaign(CampaignId(1))).await.lifted, []);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_update_wakes_only_accounts_that_send_by_it() {
    let mut house = house().await;
    house.hear_of("waba", "901", "237600000901").await;
    house.hear_of("waba", "100", "237600000100").await;
    for (digits, concerned) in [("237600000901", vec!["1"]), ("237600000100", vec!["1", "2"]), ("237600000000", vec![])]
    {
        let value: Value = json!({"event": "FLAGGED", "display_phone_number": digits});
        house.world.sql("update run set check_at = null").await;
        house.tell("phone_number_quality_update", &value).await;
        let looked_at = "select distinct account_id::text from run where check_at is not null order by 1";
        assert_eq!(house.world.column(looked_at).await, concerned, "{digits}");
        house.world.settle().await;
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_resume_wakes_its_sleeping_lanes() {
    let mut house = house().await;
    house.people().await;
    // A claim met the halt, and nobody has looked at the runs since.
    house
        .world
        .sql(r#"insert into channel_halt values ('wa', '{"code": "refused", "text": "190: no token"}', '2026-11-30T08:00Z', '2026-12-01Z', 1)"#)
        .await;
    house.world.sql("update lane set wake_at = '2026-12-01Z'").await;
    let now = house.world.now;
    house.world.store().resume_channel("wa", ("maria", "a new token"), now).await.unwrap();
    assert_eq!(house.world.count(&format!("lane where wake_at > '{now}'")).await, 0);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_resume_waits_for_a_concurrent_run_update() {
    let mut house = house().await;
    house
        .world
        .sql(r#"insert into channel_halt values ('wa', '{"code": "refused", "text": "190: no token"}', '2026-11-30T08:00Z', '2026-12-01Z', 1)"#)
        .await;
    // Somebody has read that it is halted, and is about to say so of runs that wait for nothing yet.
    let mut moving = house.world.pool().begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock_shared($1)")
        .bind(0x7265_6c61_6e63_6503_i64)
        .execute(&mut *moving)
        .await
        .unwrap();
    let (store, now) = (house.world.store().clone(), house.world.now);
    let resuming = tokio::spawn(async move { store.resume_channel("wa", ("maria", "a new token"), now).await });
    while !resuming.is_finished() && house.world.waiting_for_locks().await < 1 {
        tokio::task::yield_now().await;
    }
    assert!(!resuming.is_finished());
    sqlx::query("update run set phase = 'paused', reason = 'channel-unhealthy', check_at = null where campaign_id = 1")
        .execute(&mut *moving)
        .await
        .unwrap();
    moving.commit().await.unwrap();
    assert_eq!(resuming.await.unwrap().unwrap().runs, 2);
    house.world.settle().await;
    assert_eq!(house.stopped().await, NONE);
    house.close().await;
}

fn banned(state: &str) -> Value {
    json!({"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": state}})
}

/// A restriction that ends at this minute after seven.
fn restricted(until: i64) -> Value {
    let kind = "RESTRICTED_BIZ_INITIATED_MESSAGING";
    let info = json!([{"restriction_type": kind, "expiration": 1_796_022_000 + 60 * until}]);
    json!({"event": "ACCOUNT_RESTRICTION", "restriction_info": info})
}

const ALL: [&str; 3] = ["c a1 channel-unhealthy", "c a2 channel-unhealthy", "d a1 channel-unhealthy"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restriction_with_an_end_neither_lifts_nor_shortens_a_ban_in_whatever_order_they_come() {
    // Minutes after seven at which they happened, in the order in which they come; the restriction ends at 8:05.
    for order in [[(1, "ban"), (2, "restriction")], [(2, "restriction"), (1, "ban")], [(1, "restriction"), (2, "ban")]]
    {
        let mut house = house().await;
        for (minute, what) in order {
            let value = if what == "ban" { banned("DISABLE") } else { restricted(65) };
            house.told(minute, "account_update", &value).await;
        }
        assert_eq!(house.stopped().await[..3], ALL, "{order:?}");
        house.at("2026-11-30T09:00:00Z").await;
        house.world.settle().await;
        assert_eq!(house.stopped().await[..3], ALL, "{order:?}");
        house.told(90, "account_update", &banned("REINSTATE")).await;
        assert_eq!(house.stopped().await, NONE, "{order:?}");
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_ends_a_restriction_and_a_ban_and_a_later_restriction_stays() {
    let mut house = house().await;
    house.told(1, "account_update", &banned("DISABLE")).await;
    house.told(2, "account_update", &restricted(65)).await;
    house.told(3, "account_update", &banned("REINSTATE")).await;
    assert_eq!(house.stopped().await, NONE);
    // A ban of before the release comes late, and a restriction of after it does too.
    house.told(0, "account_update", &banned("DISABLE")).await;
    assert_eq!(house.stopped().await, NONE);
    house.told(4, "account_update", &restricted(65)).await;
    assert_eq!(house.stopped().await[..3], ALL);
    house.at("2026-11-30T09:00:00Z").await;
    house.world.settle().await;
    assert_eq!(house.stopped().await, NONE);
    house.close().await;
}
