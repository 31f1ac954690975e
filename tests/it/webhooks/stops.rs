//! What a provider tells of templates, numbers and accounts: it stops what it concerns, and lets it go on again.

use chrono::TimeDelta;
use relance::core::domain::{AccountId, CampaignId};
use relance::core::lifecycle::outcome::Reaction;
use relance::core::lifecycle::overrides::{Action, Override, Scope};
use relance::store::{Ordered, Outcome};
use serde_json::{Value, json};

use crate::operator::session;
use crate::support::daemon::folder;
use crate::support::facts::Person;
use crate::support::house::{House, MONDAY, SECRET, account, channel, post};
use crate::support::trees::{ALWAYS, NO_PACE};
use crate::support::world::{Fault, World};

/// Campaign `c` goes by the template `welcome`, in French and English, and `d` by none. Account `a1` has a number of its
/// own, the others share one.
pub(super) fn tree(secrets: &str) -> String {
    let sequence = |name: &str, days: &[Option<&str>]| {
        let mut text = format!(
            "---\napiVersion: relance/v1\nkind: Sequence\nmetadata: {{name: {name}}}\nspec:\n  fallbackLanguage: fr\n  days:\n"
        );
        for (n, language) in (1..).zip(days) {
            let template =
                language.map(|language| format!(", whatsappTemplate: {{name: welcome, language: {language}}}"));
            let template = template.unwrap_or_default();
            text += &format!("    - {{day: {n}, text: {{fr: 'Jour {n}. {{{{ optOutHint }}}}'}}{template}}}\n");
        }
        text
    };
    let campaign = |name: &str, sequence: &str| {
        format!(
            "---\napiVersion: relance/v1\nkind: Campaign\nmetadata: {{name: {name}}}\n\
             spec: {{type: filtered, sequenceRef: {sequence}, enrollment: continuous, {ALWAYS}}}\n"
        )
    };
    format!(
        "apiVersion: relance/v1\nkind: Defaults\nmetadata: {{name: defaults}}\nspec: {{channelRef: wa, {NO_PACE}}}\n"
    ) + &sequence("templates", &[Some("fr"), Some("[fr, pt-BR]")])
        + &sequence("texts", &[None])
        + &campaign("c", "templates")
        + &campaign("d", "texts")
        + &account("a1", "901")
        + secrets
}

pub(super) async fn house() -> House {
    let mut world = World::at(MONDAY).await;
    world.account("a1").await;
    world.account("a2").await;
    // A campaign begins with the first person whom it matches.
    for (account, phone) in [("a1", "+237671009901"), ("a2", "+237671009902")] {
        world.person(Person { account, ..Person::new(&format!("first-{account}"), phone) }).await;
    }
    let dir = folder();
    let secrets = channel(&dir);
    world.apply(&tree(&secrets)).await;
    world.settle().await;
    House::open(world, dir).await
}

impl House {
    /// Posts one change that happened at this minute after seven, and has the runs looked at.
    pub(super) async fn told(&mut self, minute: i64, field: &str, value: &Value) {
        let entry = json!({"id": "waba", "time": 1_796_022_000 + 60 * minute,
                           "changes": [{"field": field, "value": value}]});
        let body = json!({"object": "whatsapp_business_account", "entry": [entry]}).to_string();
        assert_eq!(post(self.address, body.as_bytes(), SECRET).0, 200);
        self.receive().await;
        self.world.settle().await;
    }

    pub(super) async fn template(&mut self, minute: i64, event: &str, language: Option<&str>) {
        let mut value = json!({"event": event, "message_template_name": "welcome", "reason": "NONE"});
        if let Some(language) = language {
            value["message_template_language"] = json!(language);
        }
        self.told(minute, "message_template_status_update", &value).await;
    }

    async fn business(&mut self, minute: i64, value: &Value) {
        self.told(minute, "account_update", value).await;
    }

    pub(super) async fn number(&mut self, minute: i64, event: &str, digits: &str) {
        let value = json!({"event": event, "display_phone_number": digits});
        self.told(minute, "phone_number_quality_update", &value).await;
    }

    /// A message comes to a number, by which becomes known what it is called and what it belongs to.
    pub(super) async fn hear_of(&mut self, business: &str, number: &str, digits: &str) {
        let value = json!({"metadata": {"phone_number_id": number, "display_phone_number": digits}});
        let body = json!({"entry": [{"id": business, "changes": [{"field": "messages", "value": value}]}]}).to_string();
        assert_eq!(post(self.address, body.as_bytes(), SECRET).0, 200);
        self.receive().await;
    }

    /// What we call the messages, and what the provider does.
    pub(super) async fn names(&self) -> Vec<(String, String)> {
        self.world.store().installation_id().await.unwrap();
        let names =
            "select concat_ws('.', 'relance', id, account_id, campaign_id, referral_id, day) || ' ' || provider_id
                     from message, installation order by account_id, campaign_id, referral_id, day";
        let names = self.world.column(names).await;
        names
            .iter()
            .map(|both| both.split_once(' ').unwrap())
            .map(|(our, its)| (our.to_owned(), its.to_owned()))
            .collect()
    }

    /// The runs that are paused, with why.
    pub(super) async fn stopped(&self) -> Vec<String> {
        let paused = |line: &String| line.contains("paused");
        self.world.runs().await.into_iter().filter(paused).map(|line| line.replace(" paused", "")).collect()
    }

    pub(super) async fn resume(&mut self, scope: Scope) -> Outcome {
        let (actor, reason) = ("maria".to_owned(), "spoke to the provider".to_owned());
        let order = Override { scope, action: Action::Resume, actor, reason, until: None };
        let Ordered::Done(outcome) = self.world.order(&order).await else { panic!("refused") };
        self.world.settle().await;
        outcome
    }

    /// Somebody in each account, to whom everything goes out.
    pub(super) async fn people(&mut self) {
        for (n, account) in [(1, "a1"), (2, "a2")] {
            let phone = format!("+23767100000{n}");
            self.world.person(Person { account, ..Person::new(&format!("r{n}"), &phone) }).await;
        }
        self.world.run_for(TimeDelta::minutes(1)).await;
    }
}

pub(super) const TEMPLATE: [&str; 2] = ["c a1 template-error", "c a2 template-error"];
pub(super) const NONE: [&str; 0] = [];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_template_pauses_its_runs_until_approval() {
    let mut house = house().await;
    for (stop, lift) in [("PAUSED", "APPROVED"), ("DISABLED", "REINSTATED"), ("REJECTED", "UNPAUSED")] {
        let minute = house.world.count("inbound").await;
        house.template(minute, stop, Some("pt_BR")).await;
        assert_eq!(house.stopped().await, TEMPLATE, "{stop}");
        let said = house.world.sentences("select distinct detail from run where phase = 'paused'").await;
        assert_eq!(said, [format!("wa: the template `welcome` (pt_BR) is {stop}")]);
        house.template(minute + 1, lift, Some("pt_BR")).await;
        assert_eq!(house.stopped().await, NONE, "{lift}");
    }
    // In a language that nobody uses, of another name, and how it is rated: that is only told.
    house.template(20, "PAUSED", Some("en")).await;
    house.template(21, "FLAGGED", Some("fr")).await;
    let other = json!({"event": "PAUSED", "message_template_name": "bye", "message_template_language": "fr"});
    house.told(22, "message_template_status_update", &other).await;
    let red =
        json!({"new_quality_score": "RED", "message_template_name": "welcome", "message_template_language": "fr"});
    house.told(23, "message_template_quality_update", &red).await;
    assert_eq!(house.stopped().await, NONE);
    house.template(24, "PAUSED", None).await;
    assert_eq!(house.stopped().await, TEMPLATE);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_template_update_wins_in_any_order_of_arrival() {
    let mut house = house().await;
    house.template(5, "APPROVED", Some("fr")).await;
    house.template(3, "PAUSED", Some("fr")).await;
    house.template(3, "PAUSED", Some("fr")).await;
    assert_eq!(house.stopped().await, NONE);
    house.template(7, "PAUSED", Some("fr")).await;
    house.template(6, "APPROVED", Some("fr")).await;
    house.template(5, "APPROVED", Some("fr")).await;
    assert_eq!(house.stopped().await, TEMPLATE);
    // Another revision that uses it waits as well, and one that does not goes on.
    let dir = folder();
    let same = tree(&channel(&dir));
    house.world.apply(&same.replace("Jour 1.", "Premier jour.")).await;
    house.world.settle().await;
    assert_eq!(house.stopped().await, TEMPLATE);
    house.world.apply(&same.replace("name: welcome", "name: hello")).await;
    house.world.settle().await;
    assert_eq!(house.stopped().await, NONE);
    house.world.apply(&same).await;
    house.world.settle().await;
    assert_eq!(house.stopped().await, TEMPLATE);
    // A person has looked; what they have seen is not held against them again.
    house.resume(Scope::Campaign(CampaignId(1))).await;
    assert_eq!(house.stopped().await, NONE);
    house.template(7, "PAUSED", Some("fr")).await;
    house.template(4, "PAUSED", Some("fr")).await;
    assert_eq!(house.stopped().await, NONE);
    house.template(9, "PAUSED", Some("fr")).await;
    assert_eq!(house.stopped().await, TEMPLATE);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_approval_clears_only_the_faults_of_that_template() {
    let mut house = house().await;
    for (n, account) in [(1, "a1"), (2, "a2")] {
        let phone = format!("+23767100000{n}");
        house.world.channel.fail(&phone, &[Fault::Asks(Reaction::PauseRun)]);
        house.world.person(Person { account, ..Person::new(&format!("r{n}"), &phone) }).await;
    }
    house.world.run_for(chrono::TimeDelta::minutes(1)).await;
    let mut stopped = house.stopped().await;
    stopped.retain(|line| line.starts_with('c'));
    assert_eq!(stopped, TEMPLATE, "{:?}", house.world.runs().await);
    house.world.sql("update run set fault_channel = null where account_id = 2").await;
    house.template(1, "APPROVED", Some("en")).await;
    let faults = "select count(*) from run where fault_revision_id is not null and campaign_id = 1";
    assert_eq!(house.world.one::<i64>(faults).await, 2);
    house.template(1, "APPROVED", Some("fr")).await;
    assert_eq!(house.world.one::<i64>(faults).await, 1);
    let runs = house.world.runs().await;
    assert_eq!(runs[..2], ["c a1 active running", "c a2 paused template-error"]);
    house.close().await;
}

const SHARED: [&str; 2] = ["c a2 channel-unhealthy", "d a2 channel-unhealthy"];
const OWN: [&str; 2] = ["c a1 channel-unhealthy", "d a1 channel-unhealthy"];
const ALL: [&str; 4] =
    ["c a1 channel-unhealthy", "c a2 channel-unhealthy", "d a1 channel-unhealthy", "d a2 channel-unhealthy"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flagged_number_pauses_its_accounts_until_it_is_unflagged() {
    let mut house = house().await;
    // Nobody knows yet whose number that is.
    house.number(1, "FLAGGED", "+237 600 000 901").await;
    assert_eq!(house.stopped().await, NONE);
    house.hear_of("waba", "901", "237600000901").await;
    house.hear_of("waba", "100", "+237 600 000 100").await;
    house.number(2, "FLAGGED", "237600000901").await;
    assert_eq!(house.stopped().await, OWN);
    house.number(3, "FLAGGED", "237600000100").await;
    assert_eq!(house.stopped().await, ALL);
    house.number(4, "UNFLAGGED", "237600000901").await;
    assert_eq!(house.stopped().await, SHARED);
    // Late, it changes nothing.
    house.number(3, "UNFLAGGED", "237600000901").await;
    house.number(2, "FLAGGED", "237600000901").await;
    house.number(5, "DOWNGRADE", "237600000901").await;
    assert_eq!(house.stopped().await, SHARED);
    house.number(6, "UNFLAGGED", "237600000100").await;
    assert_eq!(house.stopped().await, NONE);
    // Of a number of its own an account's operator has looked.
    house.number(7, "FLAGGED", "237600000901").await;
    house.resume(Scope::Account(AccountId(1))).await;
    assert_eq!(house.stopped().await, NONE);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restricted_business_account_pauses_its_numbers_until_reinstated() {
    let mut house = house().await;
    let ban = |state: &str| json!({"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": state}});
    house.business(1, &ban("DISABLE")).await;
    assert_eq!(house.stopped().await, ALL);
    let said = house.world.sentences("select distinct detail from run where phase = 'paused'").await;
    assert_eq!(said, ["wa: DISABLED_UPDATE for the account waba: DISABLE"]);
    house.business(2, &ban("REINSTATE")).await;
    assert_eq!(house.stopped().await, NONE);
    // One that belongs to another account there goes on.
    house.hear_of("elsewhere", "901", "237600000901").await;
    house.hear_of("waba", "100", "237600000100").await;
    house.business(3, &json!({"event": "ACCOUNT_DELETED"})).await;
    assert_eq!(house.stopped().await, SHARED);
    house.business(4, &ban("REINSTATE")).await;
    // A restriction ends by itself.
    let restricted = |kind: &str| {
        json!({"event": "ACCOUNT_RESTRICTION",
               "restriction_info": [{"restriction_type": kind, "expiration": "2026-11-30T10:00:00+0000"}]})
    };
    house.business(5, &restricted("RESTRICTED_ADD_PHONE_NUMBER_ACTION")).await;
    house.business(5, &json!({"event": "ACCOUNT_VIOLATION", "violation_info": {"violation_type": "SPAM"}})).await;
    assert_eq!(house.stopped().await, NONE);
    house.business(6, &restricted("RESTRICTED_BIZ_INITIATED_MESSAGING")).await;
    assert_eq!(house.stopped().await, SHARED);
    house.world.run_until("2026-11-30T09:59:59Z".parse().unwrap()).await;
    assert_eq!(house.stopped().await, SHARED);
    house.world.run_until("2026-11-30T10:00:00Z".parse().unwrap()).await;
    assert_eq!(house.stopped().await, NONE);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_resume_lifts_all_channel_restrictions_and_is_logged() {
    let mut house = house().await;
    house.template(1, "PAUSED", Some("fr")).await;
    house.business(1, &json!({"event": "ACCOUNT_DELETED"})).await;
    house
        .world
        .sql(r#"insert into channel_halt values ('wa', '{"code": "refused", "text": "190: no token"}', '2026-11-30T08:00Z', '2026-12-01Z', 1)"#)
        .await;
    house.world.facts_changed().await;
    house.world.settle().await;
    assert_eq!(house.stopped().await, ALL);
    let maria = ["--actor", "maria", "--reason", "renewed the token"];
    let commands: [&[&str]; 5] = [
        &[&["resume"], &maria[..]].concat(),
        &[&["resume", "--channel", "w"], &maria[..]].concat(),
        &[&["resume", "c", "--channel", "wa"], &maria[..]].concat(),
        &[&["resume", "--channel", "wa"], &maria[..]].concat(),
        &[&["resume", "--channel", "wa"], &maria[..]].concat(),
    ];
    insta::assert_snapshot!(session(&house.world.url(), &commands));
    house.world.settle().await;
    assert_eq!(house.stopped().await, NONE);
    let told = house.world.told("select detail, actor from event where kind = 'override-set'").await;
    assert_eq!(told, ["maria maria resumed the channel `wa`: renewed the token"]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_channel_manifest_lifts_its_restriction() {
    let mut house = house().await;
    let halt = r#"insert into channel_halt values ('wa', '{"code": "refused", "text": "190: no token"}', '2026-11-30T08:00Z', '2026-12-01Z', 1)"#;
    house.world.sql(halt).await;
    house.world.facts_changed().await;
    house.world.settle().await;
    assert_eq!(house.stopped().await, ALL);
    // What says nothing of the channel does not lift it.
    let dir = folder();
    house.world.apply(&tree(&channel(&dir)).replace("Jour 1.", "Premier jour.")).await;
    house.world.settle().await;
    house.world.sql("delete from channel_halt").await;
    house.world.sql(halt).await;
    house.world.apply(&tree(&channel(&dir)).replace("phoneNumberId", "concurrency: 7, phoneNumberId")).await;
    assert_eq!(house.world.count("channel_halt").await, 0);
    house.world.settle().await;
    assert_eq!(house.stopped().await, NONE);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_failure_of_a_shared_number_pauses_the_channel() {
    let mut house = house().await;
    house.people().await;
    let names = house.names().await;
    let halts =
        "select 'account ' || account_id from account_halt union all select 'channel ' || channel from channel_halt";
    // 131042: it is not paid for. The first account, whose messages come first, has a number of its own.
    let ends = [names.first().unwrap(), names.last().unwrap()];
    for ((key, id), expected) in ends.into_iter().zip([vec!["account 1"], vec!["account 1", "channel wa"]]) {
        let failed = json!({"id": id, "status": "failed", "timestamp": "1796025600",
                            "biz_opaque_callback_data": key, "errors": [{"code": 131_042, "title": "Payment"}]});
        house.tell("messages", &json!({"statuses": [failed]})).await;
        assert_eq!(house.world.column(halts).await, expected);
    }
    house.close().await;
}
