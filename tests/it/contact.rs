//! One person, by phone: what is known of them, and that nothing is once they are forgotten.

use std::collections::BTreeSet;
use std::io::Cursor;

use chrono::TimeDelta;
use relance::channel::Outcome;
use relance::core::domain::Phone;
use relance::daemon::{SenderDirectory, receive};
use relance::facts::import::Report;
use relance::facts::{Source, import};
use relance::store::{Age, Erased, Listed, Speed};
use serde_json::{Value, json};

use crate::operator::session;
use crate::replies::{said, world};
use crate::support::house::envelope;
use crate::support::world::World;

const PHONE: &str = "+237671000001";
const DIGITS: &str = "237671000001";
/// What says who they are.
const SECRETS: [&str; 7] = ["671000001", "Caché", "secret.example", "tailleur", "doit 50", "1990-02-03", "wamid.X"];

fn phone() -> Phone {
    Phone::trusted(PHONE.to_owned())
}

/// Somebody of two accounts who got day 1 and wrote something unclear, and somebody else.
async fn known() -> World {
    let mut world = world().await;
    world
        .sql(&format!(
            "update referral set name = 'Paul Caché', email = 'paul@secret.example', profession = 'Tailleur',
                    profession_key = 'tailleur', birth_date = '1990-02-03', attributes = '{{\"note\": \"doit 50\"}}'
             where phone = '{PHONE}'"
        ))
        .await;
    world.run_for(TimeDelta::hours(7)).await;
    world.sql("update message set text = text || ' Caché', provider_id = 'wamid.X' where referral_id <> 2").await;
    world
        .sql(&format!(
            "insert into sandbox_message (account_id, campaign_id, referral_id, day, phone, text, received_at)
             values (1, 1, 1, 1, '{PHONE}', 'Bonjour Paul Caché', '2026-11-30Z')"
        ))
        .await;
    for statement in [
        "insert into alias values ('user-1', '+237671000001')",
        "insert into inbound values ('in-1', '+237671000001', '2026-11-30Z', 'stop', '2026-11-30Z')",
        "insert into conversation values (1, '+237671000001', '2026-11-30Z')",
        "insert into provider_message values ('wamid.X', 1, 1, 1, 1)",
        "insert into webhook (channel, received_at, body, processed_at)
         values ('wa', '2026-11-30Z', convert_to('{\"from\": \"237671000001\"}', 'UTF8'), '2026-11-30Z')",
    ] {
        world.sql(statement).await;
    }
    world.store().reply(&[said(1, PHONE, "stop it, Caché")], world.now).await.unwrap();
    world
}

/// Every row of every table.
async fn everything(world: &World) -> String {
    let tables =
        "select tablename::text from pg_tables where schemaname = 'public' and tablename <> '_sqlx_migrations'";
    let mut all = String::new();
    for table in world.column(tables).await {
        all += &world.column(&format!("select row_to_json(t)::text from {table} t")).await.join("\n");
    }
    // Bytes are shown as digits of their own.
    all + &world.column("select convert_from(body, 'UTF8') from webhook").await.join("\n")
}

/// A post of the provider that came at the instant of the test, waits, and has been tried so often.
async fn posted(world: &World, field: &str, value: &Value, attempts: i32) {
    let body = envelope(field, value);
    world
        .sql(&format!(
            "insert into webhook (channel, received_at, body, due_at, attempts)
             values ('wa', '{0}', convert_to('{body}', 'UTF8'), '{0}', {attempts})",
            world.now
        ))
        .await;
}

/// What the provider says of them: of their message, in their words, and of a switch that they turned.
async fn told(world: &World, of: &str) {
    world.store().installation_id().await.unwrap();
    let key: String = world.one("select format('relance.%s.1.1.1.1', id) from installation").await;
    let status = |status: &str| {
        json!({"id": format!("wamid.{of}"), "status": status, "recipient_id": DIGITS, "timestamp": "1764500000",
               "biz_opaque_callback_data": key,
               "errors": [{"code": 131_050, "title": "no marketing to 237671000001"}]})
    };
    posted(world, "messages", &json!({"statuses": [status("delivered"), status("failed")]}), 0).await;
    let said = |id: &str, text: &str| json!({"id": id, "from": DIGITS, "timestamp": "1764500000", "type": "text", "text": {"body": text}});
    let messages = [said(&format!("{of}.1"), "STOP"), said(&format!("{of}.2"), "hello")];
    posted(world, "messages", &json!({"messages": messages}), 0).await;
    let preference =
        json!({"wa_id": DIGITS, "value": "stop", "category": "marketing_messages", "timestamp": 1_764_500_000});
    posted(world, "user_preferences", &json!({"user_preferences": [preference]}), 0).await;
    // They answer something that nobody knows, for the last time; and are called otherwise.
    let unresolved = json!({"id": format!("{of}.3"), "from_user_id": "user-1", "timestamp": "1764500000", "type": "text",
                        "text": {"body": "Caché"}, "context": {"id": "wamid.unknown"}});
    posted(world, "messages", &json!({"messages": [unresolved]}), 9).await;
}

async fn process(world: &World) {
    let mut sender_directory = SenderDirectory::default();
    while receive(world.store(), &mut sender_directory, (world.now, Speed(1.0))).await.unwrap().posts > 0 {}
}

async fn import(world: &World, rows: &str) -> Report {
    let file = format!("id,account_id,name,phone,country,registered_at,consent\n{rows}");
    let source = Source::stream("test", Cursor::new(file.into_bytes()));
    import::referrals(world.store(), source, Age { as_of: world.now, now: world.now }).await.unwrap()
}

#[tokio::test]
async fn erasure_leaves_only_counts_of_a_person() {
    let mut world = known().await;
    let before = everything(&world).await;
    assert!(SECRETS.iter().all(|secret| before.contains(secret)), "{before}");
    let quotas = "select sum(taken)::bigint from lane";
    let taken: i64 = world.one(quotas).await;
    let done = world.store().acting(Some("maria")).forget(&phone(), "a letter", world.now).await.unwrap();
    assert_eq!(done, Erased { referrals: 2, messages: 2, exited: 2 });
    let after = everything(&world).await;
    for secret in SECRETS {
        assert!(!after.contains(secret), "{secret}: {after}");
    }
    assert_eq!(world.count("webhook where body = ''").await, 1);
    let now = ["r1 welcome exited removed day 2", "r2 welcome active day 2", "r3 welcome exited removed day 2"];
    assert_eq!(world.targets().await, now);
    assert_eq!((world.messages().await.len(), world.one::<i64>(quotas).await), (3, taken));
    // The others go on, and nobody is written to who is not there any more.
    world.run_for(TimeDelta::days(3)).await;
    let sent: Vec<String> = world.channel.delivered().into_iter().map(|(phone, _)| phone).skip(3).collect();
    assert_eq!(sent, ["+237671000002"]);
    assert_eq!(world.runs().await, ["welcome a1 completed drained", "welcome a2 completed drained"]);
}

#[tokio::test]
async fn later_webhooks_never_restore_an_erased_person() {
    let world = known().await;
    // Of posts that came before, some were processed, one was given up, and the others wait.
    told(&world, "a").await;
    process(&world).await;
    let given_up =
        "update webhook set due_at = null, processed_at = null, error = 'why' where id = (select max(id) from webhook)";
    world.sql(given_up).await;
    told(&world, "b").await;
    let before = everything(&world).await;
    assert!(before.contains(DIGITS) && !before.contains(&format!("preference {DIGITS}")), "{before}");
    world.store().forget(&phone(), "a letter", world.now).await.unwrap();
    assert_eq!(world.count("webhook where body = '' and due_at is null").await, 5);
    process(&world).await;
    told(&world, "c").await;
    process(&world).await;
    // A channel says so of a hand-over that was under way.
    let phones = BTreeSet::from([phone()]);
    world.store().suppress(&phones, Listed::ByProvider, Some("131050"), world.now).await.unwrap();
    let after = everything(&world).await;
    for secret in SECRETS.into_iter().chain([DIGITS, "user-1", "wamid.a", "wamid.b", "wamid.c"]) {
        assert!(!after.contains(secret), "{secret}: {after}");
    }
    // How it went is known all the same.
    assert_eq!(world.count("message where referral_id = 1 and delivered_at is not null").await, 1);
    assert_eq!(world.count("suppression where phone = ''").await, 0);
}

#[tokio::test]
async fn a_late_send_outcome_never_restores_an_erased_person() {
    let outcomes =
        [Outcome::accepted(format!("wamid.{DIGITS}")), Outcome::Unknown { error: format!("no answer about {DIGITS}") }];
    for outcome in outcomes {
        let mut world = world().await;
        world.settle().await;
        world.now += TimeDelta::hours(7);
        let claim = world.claim(100).await.messages.into_iter().filter(|message| message.phone == phone());
        let answered: Vec<_> = claim.map(|message| (message, outcome.clone())).collect();
        assert_eq!(answered.len(), 1);
        world.store().forget(&phone(), "a letter", world.now).await.unwrap();
        world.store().save_outcomes(&answered, world.now).await.unwrap();
        let after = everything(&world).await;
        assert!(!after.contains(DIGITS), "{after}");
        assert_eq!(world.count("message where phone = '' and state = 'sending'").await, 0);
    }
}

#[tokio::test]
async fn a_failed_webhook_is_kept_for_thirty_days() {
    let world = world().await;
    posted(&world, "messages", &json!({}), 0).await;
    world.sql("update webhook set due_at = null, error = 'why'").await;
    let purge = world.store().next_due().await.unwrap().purge.unwrap();
    assert!(purge > world.now + TimeDelta::days(30), "{purge}");
    assert_eq!(world.store().purge_webhooks(world.now + TimeDelta::days(29)).await.unwrap(), 0);
    assert_eq!(world.store().purge_webhooks(purge).await.unwrap(), 1);
    assert_eq!(world.store().next_due().await.unwrap().purge, None);
}

#[tokio::test]
async fn an_import_never_restores_an_erased_person() {
    let mut world = known().await;
    world.store().forget(&phone(), "a letter", world.now).await.unwrap();
    world.now += TimeDelta::hours(1);
    let report = import(
        &world,
        "r1,a1,Paul,671000001,CM,2026-11-20T10:00:00Z,opted_in\n\
         r9,a2,Paul again,+237 671 00 00 01,CM,2026-11-29T10:00:00Z,opted_in\n\
         r3,a2,Paul's other phone,671000033,CM,2026-11-29T10:00:00Z,opted_in\n\
         r8,a2,Somebody else,671000008,CM,2026-11-29T10:00:00Z,opted_in\n",
    )
    .await;
    assert_eq!((report.read, report.inserted, report.updated, report.unchanged), (4, 1, 0, 0));
    let rejected: Vec<String> =
        report.rejected.iter().map(|it| format!("{} {} {}", it.line, it.column, it.value)).collect();
    assert_eq!(rejected, ["2 phone +2376*****01", "3 phone +2376*****01", "4 phone +2376*****33"]);
    let people = world.column("select external_id || ' ' || name from referral order by 1").await;
    assert_eq!(people, ["r1 (erased)", "r2 Paul", "r3 (erased)", "r8 Somebody else"]);
    // The phone of somebody nobody knows yet is left out as well.
    let stranger = Phone::trusted("+237671000099".to_owned());
    assert_eq!(world.store().forget(&stranger, "they asked", world.now).await.unwrap(), Erased::default());
    let report = import(&world, "r99,a1,Ada,671000099,CM,2026-11-29T10:00:00Z,opted_in\n").await;
    assert_eq!((report.inserted, report.rejected.len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_shows_and_erases_a_contact() {
    let world = known().await;
    world.sql("update target set enrolled_at = date_trunc('second', enrolled_at)").await;
    world.sql("update message set queued_at = date_trunc('second', queued_at)").await;
    world.sql("delete from message where referral_id = 2").await;
    world.store().reply(&[said(2, PHONE, "Stop !")], world.now).await.unwrap();
    world.store().reply(&[said(1, PHONE, "did you stop?")], world.now).await.unwrap();
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    let maria = ["--actor", "maria", "--reason", "a letter"];
    let told = session(
        &world.url(),
        &[
            &["contact", "show", PHONE],
            &[&["contact", "forget", PHONE], &maria[..]].concat(),
            &[&["contact", "forget", "671000001", "--country", "CM", "--yes"], &maria[..]].concat(),
            &["contact", "show", PHONE],
            &["contact", "export", PHONE],
            &[&["contact", "forget", "+237671000044", "--yes"], &maria[..]].concat(),
            &["log", "-n", "2"],
        ],
    );
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn erasure_reaches_what_people_typed() {
    let world = known().await;
    let told = session(
        &world.url(),
        &[
            &[
                "suppress",
                "add",
                PHONE,
                "--actor",
                "maria",
                "--reason",
                "M. Caché asked by phone from +237 671-00-00-01",
            ],
            &["suppress", "add", "+237671000077", "--actor", "maria", "--reason", "same house as CACHÉ"],
        ],
    );
    assert!(told.contains("Suppressed"), "{told}");
    for statement in [
        "insert into override (account_id, action, actor, reason, created_at)
         values (1, 'pause', 'maria', 'Paul Caché complained', '2026-11-30Z')",
        "insert into override (account_id, action, actor, reason, created_at)
         values (2, 'pause', 'maria', 'a holiday', '2026-11-30Z')",
        "insert into refused_plan (digest, refusal, changes, refused_at, approved_at, approved_by, approval_reason)
         values ('d', 'r', '[]', '2026-11-30Z', '2026-11-30Z', 'maria', 'for (237) 671.000.001')",
        "update message set error = 'no route to 00237671000001'",
    ] {
        world.sql(statement).await;
    }
    world.store().forget(&phone(), "letter of Paul Caché, 671 000 001", world.now).await.unwrap();
    let after = everything(&world).await;
    for word in ["Caché", "CACHÉ", "671-00-00-01", "671.000.001", "671 000 001", "671000001"] {
        assert!(!after.contains(word), "{word}: {after}");
    }
    // What names somebody else stays, and the log can still be read.
    assert!(after.contains("a holiday"), "{after}");
    let log = session(&world.url(), &[&["log", "-n", "5"]]);
    assert!(log.contains("(erased)"), "{log}");
}
