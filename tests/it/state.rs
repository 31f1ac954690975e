//! Exported states: what is planned on one is what is planned on the database, and nobody can be found in it.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use chrono::TimeDelta;
use relance::core::lifecycle::overrides::{Action, Override, Scope};
use relance::store::snapshot::file::{Attributes, export};
use relance::store::{Speed, Store};
use serde_json::Value;

use crate::estimate::{folder, world as people};
use crate::support::database::database;
use crate::support::export::{exported, load, planned};
use crate::support::facts::Person;
use crate::support::rows::{count, execute};
use crate::support::trees::{NO_PACE, tree};
use crate::support::world::World;

#[tokio::test]
async fn a_snapshot_keeps_the_local_date_of_the_last_message() {
    let mut world = people(1, "update account set timezone = 'Pacific/Pago_Pago'").await;
    let at_once = "schedule: {firstAfter: 0s, windows: [{from: '00:00', to: '24:00'}]}";
    let first = tree(1, NO_PACE, &[("first", at_once)]);
    world.apply(&first).await;
    // A quarter to midnight of the 29th over there.
    world.run_until("2026-11-30T10:45:00Z".parse().unwrap()).await;
    assert_eq!(world.channel.delivered().len(), 1);
    let edit = tree(1, NO_PACE, &[("first", at_once), ("second", at_once)]);
    let now = world.now;
    let digest = "0123456789abcdef";
    world
        .sql(&format!(
            "insert into refused_plan (digest, refusal, changes, refused_at, approved_at, approved_by, approval_reason)
             values ('{digest}', 'a third', '[]', '2026-11-30Z', '2026-11-30Z', 'maria', 'it is meant')"
        ))
        .await;
    let here = planned(&edit, world.store(), now).await;
    assert!(here.contains("done by 2026-11-30") && here.contains(digest) && here.contains("maria"), "{here}");
    let copy = database().await;
    load(&exported(world.store(), &[]).await, &copy.store).await.unwrap();
    assert_eq!(planned(&edit, &copy.store, now).await, here);
    execute(&copy.pool, "delete from message").await;
    assert_ne!(planned(&edit, &copy.store, now).await, here);
}

/// A world in which everything is said that may not leave it.
async fn secretive() -> World {
    let mut world = people(12, "select 1").await;
    world
        .sql(
            "update account set name = 'Aminata Secrète', phone = '+237699111222', email = 'aminata@secret.example',
                    attributes = '{\"region\": \"west\", \"iban\": \"DE00SECRET\"}'",
        )
        .await;
    world
        .sql(
            "update referral set name = 'Paul Caché ' || id, email = 'paul' || id || '@secret.example',
                    profession = 'Tailleur Caché', profession_key = 'tailleur', consent_source = 'formulaire 7',
                    external_id = 'crm-' || id, attributes = '{\"tier\": \"gold\", \"note\": \"doit 50 000\"}'",
        )
        .await;
    let yaml =
        tree(3, NO_PACE, &[("gold", "accounts: {matchLabels: {region: west}}, filter: {attributes: {tier: gold}}")]);
    world.apply(&yaml.replace("Jour 1.", "Bonjour {{ name }}, jour 1.")).await;
    world.run_for(TimeDelta::days(1)).await;
    world.sql("insert into suppression values ('+237671000001', 'operator', '2026-11-30Z', 'Secrète', 'a complaint', 'Caché')").await;
    world.sql(r#"update run set detail = '{"code": "refused", "text": "Paul Caché waits"}'"#).await;
    world.sql("update revision set author = 'Maria Secrète <maria@secret.example>', \"commit\" = 'c0ffee'").await;
    world.sql("update message set error = 'no such number +237671000001', provider_id = 'wamid.SECRET'").await;
    world
}

#[tokio::test]
async fn an_exported_snapshot_contains_no_personal_data() {
    let world = secretive().await;
    let file = String::from_utf8(exported(world.store(), &[]).await).unwrap();
    let phones: Vec<String> = world.column("select phone from referral union select phone from message").await;
    assert_eq!(phones.len(), 12);
    let texts = world.column("select text from message").await;
    assert!(texts.iter().any(|text| text.contains("Bonjour Paul Caché")), "{texts:?}");
    let digits = phones.iter().map(|phone| phone.trim_start_matches('+').to_owned());
    let said = [
        "Secrète",
        "Caché",
        "secret.example",
        "699111222",
        "SECRET",
        "formulaire",
        "crm-",
        "doit",
        "note",
        "iban",
        "complaint",
        "Tailleur",
        "no such number",
        "wamid",
    ];
    for secret in said.into_iter().map(str::to_owned).chain(digits).chain(texts) {
        assert!(!file.contains(&secret), "`{secret}` is in the file");
    }
    // What plans need is.
    for kept in
        ["\"tier\":\"gold\"", "\"region\":\"west\"", "\"external_id\":\"a1\"", "tailleur", "c0ffee", "Africa/Douala"]
    {
        assert!(file.contains(kept), "`{kept}` is not in the file");
    }
    let all = world.export_all().await;
    assert!(all.contains("doit 50 000") && all.contains("iban") && !all.contains("Caché"));
}

impl World {
    async fn export_all(&self) -> String {
        let mut file = Vec::new();
        export(self.store(), &Attributes::All, &mut file).await.unwrap();
        String::from_utf8(file).unwrap()
    }
}

/// The stand-ins of people and of suppressions, in the order of their rows.
fn stand_ins(file: &str) -> (Vec<String>, Vec<String>) {
    let lines: Vec<Value> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |table: &str| -> Vec<String> {
        let rows = lines.iter().filter(|line| line["table"] == table).flat_map(|line| line["rows"].as_array().unwrap());
        rows.map(|row| row["phone"].as_str().unwrap().to_owned()).collect()
    };
    (of("referral"), of("suppression"))
}

#[tokio::test]
async fn a_phone_has_one_pseudonym_per_snapshot_file() {
    let world = people(3, "insert into suppression values ('+237671000001', 'reply', '2026-11-30Z')").await;
    world.account("a2").await;
    world.sql("insert into suppression values ('+33600000000', 'reply', '2026-11-30Z')").await;
    let person = Person::new("again", "+237671000001");
    world.person(Person { account: "a2", ..person }).await;
    let (first, suppressed) = stand_ins(&world.export_all().await);
    let (second, _) = stand_ins(&world.export_all().await);
    assert_eq!((first.len(), &first[0]), (4, &first[3]));
    assert!(first[0] != first[1] && first[1] != first[2]);
    // Of a stranger's STOP nothing is said.
    assert_eq!(suppressed, [first[0].clone()]);
    assert!(first.iter().all(|phone| !second.contains(phone)), "{first:?} {second:?}");
}

#[tokio::test]
async fn a_damaged_snapshot_file_is_refused() {
    let world = people(2_500, "select 1").await;
    let file = String::from_utf8(exported(world.store(), &[]).await).unwrap();
    let lines: Vec<&str> = file.lines().collect();
    assert_eq!(lines.iter().filter(|line| line.starts_with(r#"{"table":"referral""#)).count(), 3);
    let copy = database().await;
    let without = |dropped: usize| [&lines[..dropped], &lines[dropped + 1..]].concat().join("\n") + "\n";
    let schema = format!("\"schema\":{}", Store::schema_version());
    for (text, said) in [
        (String::new(), "it is not an exported state"),
        ("{}\n".to_owned(), "it is not an exported state"),
        ("id,name\n1,Paul\n".to_owned(), "it is not an exported state"),
        (file.replace("\"format\":1", "\"format\":2"), "a newer relancectl wrote it (0.1.0)"),
        (
            file.replace(&schema, "\"schema\":26"),
            "relancectl 0.1.0 wrote it, whose database is not that of this relancectl",
        ),
        (file[..file.len() / 2].to_owned(), "it was cut off"),
        (without(lines.len() - 1), "it was cut off"),
        (without(3), "it has 1500 rows of `referral`, and its last line says 2500"),
        (file.replace("{\"table\":\"account\"", "{\"table\":\"bank\""), "line 2 is not one of an exported state"),
        (file.replace("\"table\":\"account\",", "\"table\":\"account\",,"), "line 2 is not one of an exported state"),
        (file.replace("\"id\":1,\"external_id\"", "\"id\":\"x\",\"external_id\""), "line 2 cannot be loaded"),
    ] {
        let error = load(text.as_bytes(), &copy.store).await.unwrap_err().to_string();
        assert!(error.starts_with(said), "{error}");
        assert!(copy.store.account_names().await.unwrap().is_empty(), "{said}");
    }
    load(file.as_bytes(), &copy.store).await.unwrap();
    let people = count(&copy.pool, "referral").await;
    assert_eq!(people, 2_500);
}

/// Runs the program in `folder`, with or without a database.
fn run(folder: &Path, url: Option<&str>, args: &[&str], input: Option<&[u8]>) -> (String, String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relancectl"));
    command.args(args).current_dir(folder).env_remove("DATABASE_URL").env_remove("USER");
    command.envs(url.map(|url| ("DATABASE_URL", url)));
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.unwrap_or_default()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn ci_plans_on_a_snapshot_without_the_database() {
    let mut world = people(40, "select 1").await;
    world.apply(&tree(3, NO_PACE, &[("slow", "priority: 50")])).await;
    world.settle().await;
    let scope = Scope::Campaign(world.store().in_force().await.unwrap().campaigns.values().copied().next().unwrap());
    let (actor, reason) = ("maria".to_owned(), "an audit".to_owned());
    world.order(&Override { scope, action: Action::Pause, actor, reason, until: None }).await;
    world.store().set_clock(world.now, Speed(0.0)).await.unwrap();
    let edit = tree(3, NO_PACE, &[("slow", "priority: 50"), ("sooner", "priority: 5")]);
    let folder = folder(&edit);
    let here = folder.path();
    let url = world.url();
    let (_, said, code) = run(here, Some(&url), &["export", "state", "--out", "state.json"], None);
    assert_eq!(
        (code, said.trim()),
        (Some(0), "export: wrote `state.json`: 1 account and 40 referrals, as of 2026-11-30 08:00 UTC")
    );
    let state = fs::read(here.join("state.json")).unwrap();

    let plan: &[&str] = &["plan", "--dir", "."];
    let on_state = |args: &[&str]| run(here, None, &[plan, &["-f", "state.json"], args].concat(), None);
    let header = "\nPlanned on an exported state\n  as of 2026-11-30 08:00 UTC, revision 1\n";
    for output in ["text", "json", "markdown"] {
        let (there, _, code) = run(here, Some(&url), &[plan, &["-o", output][..]].concat(), None);
        assert_eq!(code, Some(0));
        let (found, error, code) = on_state(&["-o", output]);
        assert_eq!(code, Some(0), "{error}");
        let found = match output {
            "text" => found.replacen(header, "", 1),
            "markdown" => found.replacen(
                "\n#### Planned on an exported state\n\n```text\n  as of 2026-11-30 08:00 UTC, revision 1\n```\n",
                "",
                1,
            ),
            _ => found,
        };
        assert_eq!(found, there);
        assert!(found.contains("maria"), "{found}");
    }
    let (text, ..) = on_state(&[]);
    assert!(text.contains(header), "{text}");
    let (text, ..) = run(here, None, &[plan, &["-f", "-"][..]].concat(), Some(&state));
    assert!(text.contains(header), "{text}");

    assert_eq!(on_state(&["--detailed-exitcode"]).2, Some(2));
    let (text, said, code) = run(here, Some(&url), &[plan, &["-f", "state.json"][..]].concat(), None);
    assert_eq!((text.as_str(), code), ("", Some(2)));
    assert_eq!(said.trim(), "error: -f plans on an exported state: leave out --database-url, and DATABASE_URL");

    fs::write(here.join("tree.yaml"), edit.replace("priority: 5}", "priority: 5, filter: {attributes: {tier: gold}}}"))
        .unwrap();
    let (_, said, code) = on_state(&["--detailed-exitcode"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("error: the campaign `sooner` asks for the attribute `tier`"), "{said}");
    assert!(said.contains("`--attribute tier`"), "{said}");

    let (_, _, code) = run(here, Some(&url), &["export", "state", "--attribute", "tier", "--out", "state.json"], None);
    assert_eq!((code, on_state(&[]).2), (Some(0), Some(0)));
    // The state of a world whose clock was never set is of today, so to say; this one is not.
    let old = String::from_utf8(state).unwrap().replace("2026-11-30T08:00:00Z", "2020-01-01T08:00:00Z");
    fs::write(here.join("state.json"), old).unwrap();
    fs::write(here.join("tree.yaml"), &edit).unwrap();
    let (_, said, code) = on_state(&[]);
    assert_eq!(code, Some(0));
    assert!(said.contains("warning: the state is of 2020-01-01 08:00 UTC, "), "{said}");
}
