//! `preview` as somebody types it: what is shown is what is sent.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use chrono::TimeDelta;
use relance::store::query::Wanted;
use serde_json::Value;
use tempfile::TempDir;

use crate::accidents::tree;
use crate::get::relancectl;
use crate::support::facts::Person;
use crate::support::world::World;

/// Three languages, one of them from right to left; media, a subject and an attribute.
const RICH: &str = "apiVersion: relance/v1
kind: Sequence
metadata: {name: rich}
spec:
  fallbackLanguage: fr
  days:
    - day: 1
      after: 90m
      subject: {fr: 'Bienvenue, {{ name }}'}
      text:
        fr: |-
          Bonjour {{ name }}.

          {{ optOutHint }}
        ar: |-
          مرحبا {{ name }}، معك {{ referrerName }}.
          {{ optOutHint }}
    - day: 2
      text: {fr: 'À {{ attributes.city }}, jour {{ day }}.', en: 'In {{ attributes.city }}, day {{ day }} of {{ daysTotal }}.'}
      media:
        - {type: image, url: 'https://example.com/a.png', caption: '{{ name }} à {{ attributes.city }}'}
        - {type: audio, url: 'https://example.com/b.ogg'}
---
apiVersion: relance/v1
kind: Campaign
metadata: {name: rich}
spec:
  type: filtered
  sequenceRef: rich
  schedule: {windows: [{days: [mon, tue, wed, thu, fri], from: '08:00', to: '20:00'}], every: 36h}
";

fn files(yaml: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("tree.yaml"), yaml).unwrap();
    dir
}

/// Without a database, in a folder of its own.
fn preview(dir: &Path, args: &[&str]) -> (String, String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relancectl"));
    command.args(["preview", "--dir", "."]).args(args).current_dir(dir).env_remove("DATABASE_URL");
    let output = command.output().unwrap();
    assert!(!dir.join(".relance").exists(), "no database is needed");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

#[test]
fn preview_shows_a_sample_person_in_every_language() {
    let dir = files(RICH);
    let (text, error, code) = preview(dir.path(), &["rich"]);
    assert_eq!((error.as_str(), code), ("", Some(0)));
    insta::assert_snapshot!(text);
}

#[test]
fn preview_filters_by_language_and_day() {
    let dir = files(RICH);
    let (text, _, code) = preview(dir.path(), &["rich", "--language", "ar-EG", "--day", "1", "-o", "json"]);
    assert_eq!(code, Some(0));
    let json: Value = serde_json::from_str(&text).unwrap();
    let versions = json["versions"].as_array().unwrap();
    assert_eq!((versions.len(), versions[0]["days"].as_array().unwrap().len()), (1, 1));
    let message = &versions[0]["days"][0]["message"];
    assert_eq!((&message["language"], &message["fallback"]), (&"ar".into(), &Value::Null));
    let text = message["text"].as_str().unwrap();
    assert_eq!(
        (text, &message["characters"]),
        ("مرحبا Alex Sample، معك Sam Sample.\nأرسل STOP لإيقاف الرسائل.", &60.into())
    );
}

#[test]
fn preview_rejects_unknown_names_with_a_suggestion() {
    let dir = files(&format!(
        "{RICH}---\napiVersion: relance/v1\nkind: Campaign\nmetadata: {{name: torn}}\nspec: {{type: filtered, sequenceRef: rihc}}\n"
    ));
    for (args, said, expected) in [
        (&["riche"][..], "no campaign `riche`; did you mean `rich`?", 2),
        (&["rich", "--day", "3"], "`rich` has no day 3: its days are 1 to 2", 2),
        (&["rich", "--language", "e_n"], "write it with a hyphen, `e-n`; did you mean `en`?", 2),
        (&["rich", "--language", "fra"], "no day of `rich` has a text in `fra`; did you mean `fr`?", 0),
        (&["torn"], "nothing is shown: `torn`, or what it refers to, has errors", 1),
    ] {
        let (_, error, code) = preview(dir.path(), args);
        assert!(error.contains(said), "{error}");
        assert_eq!(code, Some(expected), "{args:?}");
    }
}

/// Who lacks an attribute gets the error that sending would meet, where it stands in the file.
#[tokio::test(flavor = "multi_thread")]
async fn preview_of_a_referral_reports_a_missing_attribute() {
    let world = World::at("2026-11-30T08:00:00Z").await;
    world.account("a1").await;
    world.person(Person { language: Some("sw"), ..Person::new("r1", "+237671000001") }).await;
    let dir = files(RICH);
    let at = dir.path().to_str().unwrap();
    let (text, error, code) = relancectl(&world.url(), &["preview", "rich", "--referral", "r1", "--dir", at]);
    assert_eq!((error.as_str(), code), ("", Some(1)));
    insta::assert_snapshot!(text.replace(at, "TREE"));
    let args = ["preview", "rich", "--referral", "r1", "--dir", at, "-o", "json"];
    let json: Value = serde_json::from_str(&relancectl(&world.url(), &args).0).unwrap();
    let error = &json["versions"][0]["days"][1]["error"];
    assert_eq!((&error["line"], &error["column"], &error["code"]), (&19.into(), &24.into(), &"RL0403".into()));
    let (_, error, code) = relancectl(&world.url(), &["preview", "rich", "--referral", "r11", "--dir", at]);
    assert_eq!((error.trim(), code), ("error: no referral `r11`; did you mean `r1`?", Some(2)));
}

/// SPEC §10, accident 11: preview and production have one copy of everything.
#[tokio::test(flavor = "multi_thread")]
async fn a_previewed_message_equals_the_sent_message() {
    let mut world = World::at("2026-11-30T08:00:00Z").await;
    world.account("a1").await;
    world.account("a2").await;
    world
        .sql(
            "update account set name = 'Brenda <&>', language = 'en', timezone = 'Asia/Tokyo' where external_id = 'a2'",
        )
        .await;
    let languages = [Some("fr"), Some("en-GB"), Some("sw"), None];
    for (index, language) in languages.into_iter().enumerate() {
        for account in ["a1", "a2"] {
            let (id, phone) = (format!("{account}-{index}"), format!("+2376710000{index}{}", &account[1..]));
            world
                .person(Person { account, language, registered_at: "2026-11-20T20:00:00Z", ..Person::new(&id, &phone) })
                .await;
        }
    }
    world.sql("update referral set name = 'Zoé ' || external_id, profession = 'Élève', attributes = jsonb_build_object('city', external_id, 'n', 3)").await;
    let yaml = tree("")
        .replace("jour 2.", "{{ registeredAt }} {{ profession }} {{ attributes.city }} {{ attributes.n }}")
        .replace("day 2.", "{{ referrerName }} {{ country }} {{ language }} {{ day }}/{{ daysTotal }}");
    let dir = files(&yaml);
    let at = dir.path().to_str().unwrap();
    let mut shown = BTreeMap::new();
    for id in world.column("select external_id from referral").await {
        let args = ["preview", "welcome", "--referral", &id, "--dir", at, "-o", "json"];
        let json: Value = serde_json::from_str(&relancectl(&world.url(), &args).0).unwrap();
        for day in json["versions"][0]["days"].as_array().unwrap() {
            let text = |key: &str| day["message"][key].as_str().unwrap().to_owned();
            shown.insert((id.clone(), day["day"].as_i64().unwrap()), (text("language"), text("text")));
        }
    }
    world.apply(&yaml).await;
    world.run_for(TimeDelta::days(4)).await;
    let sent = world.store().messages(&Wanted::default()).await.unwrap().rows;
    let sent: BTreeMap<_, _> =
        sent.into_iter().map(|m| ((m.referral, i64::from(m.day)), (m.language, m.text))).collect();
    assert_eq!(sent.len(), 16);
    assert_eq!(shown, sent);
}
