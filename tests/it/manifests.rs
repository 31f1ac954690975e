//! Manifests, good and bad: what is said about each, and what each asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{env, fs};

use relance::core::diagnostic::{Code, text};
use relance::core::domain::{Language, Name};
use relance::core::manifest::{Checked, Kind, SourceFile, Sources, check, schema, schema_file_name};

use relance::core::template::{Template, Vars, opt_out_hint};

use crate::support::trees::sources;

fn alone(path: &Path) -> (Sources, Checked) {
    let name = path.file_name().unwrap().to_string_lossy();
    let sources = sources(&[(&name, &fs::read(path).unwrap())]);
    let checked = check(&sources);
    (sources, checked)
}

fn show(sources: &Sources, checked: &Checked) -> String {
    let masked = |file: &SourceFile| text::without_secrets(&file.bytes, &file.path, &checked.diagnostics).into_owned();
    let bytes: BTreeMap<&str, Vec<u8>> = sources.files.iter().map(|file| (&*file.path, masked(file))).collect();
    let source = |path: &str| bytes.get(path).map(Vec::as_slice);
    let shown = checked.diagnostics.iter().map(|one| text::render(one, source, false));
    let broken: Vec<_> = checked.broken.iter().map(|(kind, name)| format!("{kind}/{name}")).collect();
    let end = text::summary(&checked.diagnostics, checked.files, checked.manifests);
    let unnamed = if checked.unnamed { " and others" } else { "" };
    let all: Vec<String> = shown.chain([end, format!("broken: {}{unnamed}", broken.join(" "))]).collect();
    // Long lines say nothing more.
    all.join("\n\n").lines().map(|line| line.chars().take(170).collect::<String>() + "\n").collect()
}

#[test]
fn bad_manifests_are_explained() {
    insta::glob!("../manifests/bad", "*.yaml", |path| {
        let (sources, checked) = alone(path);
        insta::assert_snapshot!(show(&sources, &checked));
    });
}

#[test]
fn good_manifests_are_resolved() {
    insta::glob!("../manifests/good", "*.yaml", |path| {
        let (sources, checked) = alone(path);
        assert_eq!(checked.diagnostics, [], "{}", show(&sources, &checked));
        insta::assert_json_snapshot!(checked.desired);
    });
}

#[test]
fn channel_examples_have_no_diagnostics() {
    let mut count = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src/channels")).unwrap() {
        let (sources, checked) = alone(&entry.unwrap().path());
        assert_eq!(checked.diagnostics, [], "{}", show(&sources, &checked));
        assert_eq!(checked.desired.channels.len(), 1);
        count += 1;
    }
    assert_eq!(count, 8);
}

#[test]
fn every_code_has_a_bad_manifest() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests/bad");
    let found: BTreeSet<Code> = fs::read_dir(here)
        .unwrap()
        .flat_map(|entry| alone(&entry.unwrap().path()).1.diagnostics)
        .map(|one| one.code)
        .collect();
    // Large files are not worth committing: see `robustness`. Pipes cannot be committed: see `hostile_files`. What running
    // a test found: see `campaign_tests`. Only a database knows the columns of imports: see `plan`.
    let elsewhere = [
        Code::FileTooLarge,
        Code::NotAFile,
        Code::TooManyProblems,
        Code::UnknownColumn,
        Code::ExpectationFailed,
        Code::StepFailed,
    ];
    let missing: Vec<_> = Code::ALL.iter().filter(|code| !found.contains(code) && !elsewhere.contains(code)).collect();
    assert_eq!(missing, Vec::<&Code>::new());
}

#[test]
fn committed_schemas_match_the_types() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    for kind in Kind::ALL {
        let path = dir.join(schema_file_name(kind));
        let expected = serde_json::to_string_pretty(&schema(kind)).unwrap() + "\n";
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == expected, "{} is old: run `cargo run -- schema --out schemas`", path.display());
    }
}

const TREE: [&str; 4] = [
    "apiVersion: relance/v1\nkind: Campaign\nmetadata: {name: a}\nspec: {type: default}\n",
    "apiVersion: relance/v1\nkind: Campaign\nmetadata: {name: b}\nspec: {type: filtered, accounts: {names: [y, x]}}\n",
    "apiVersion: relance/v1\nkind: Defaults\nmetadata: {name: d}\nspec: {sequenceRef: s}\n",
    "apiVersion: relance/v1\nkind: Sequence\nmetadata: {name: s}\nspec: {days: [{day: 1, text: {fr: STOP}}]}\n",
];

#[test]
fn file_layout_and_order_do_not_change_the_desired_state() {
    let one = check(&sources(&[("all.yaml", TREE.join("---\n").as_bytes())]));
    let reversed: Vec<_> = TREE.iter().rev().copied().collect();
    let other = check(&sources(&[("z.yaml", reversed.join("---\n").as_bytes())]));
    let files: Vec<(String, &[u8])> =
        TREE.iter().enumerate().map(|(n, t)| (format!("{n}/x.yml"), t.as_bytes())).collect();
    let many = check(&sources(&files.iter().map(|(path, bytes)| (path.as_str(), *bytes)).collect::<Vec<_>>()));
    assert_eq!((&one.diagnostics, one.desired.campaigns.len()), (&Vec::new(), 2));
    assert_eq!(one.desired, other.desired);
    assert_eq!(one.desired, many.desired);
}

#[test]
fn explicit_defaults_change_nothing() {
    let explicit = [
        "apiVersion: relance/v1\nkind: Campaign\nmetadata: {name: a}\nspec: {type: default, state: active, accounts: all, \
         filter: {subscription: unpaid, gender: all}, priority: 100, sequenceRef: s, days: [], limits: {}, \
         enrollment: continuous, enrollAfter: 1h, consent: required, exitOnPaid: true, schedule: {every: 24h, \
         firstAfter: 360m, zone: account, windows: [{from: \"08:00\", to: \"20:00\", \
         days: [sun, mon, tue, wed, thu, fri, sat]}], blackouts: []}}\n",
        "apiVersion: relance/v1\nkind: Campaign\nmetadata: {name: b}\nspec: {type: filtered, accounts: {names: [x, y, x]}, \
         enrollment: untilDrained, enrollAfter: 0s}\n",
        "apiVersion: relance/v1\nkind: Defaults\nmetadata: {name: d}\nspec: {sequenceRef: s, enrollAfter: 1h, consent: required, \
         pacing: {every: 2m, jitter: 30s, waves: []}, schedule: {every: 1d, firstAfter: 6h}}\n",
        "apiVersion: relance/v1\nkind: Sequence\nmetadata: {name: s, labels: {a: b}}\nspec: {fallbackLanguage: FR, \
         days: [{day: 1, text: {fr: STOP}, media: [], subject: {}}]}\n",
    ];
    let long = check(&sources(&[("a.yaml", explicit.join("---\n").as_bytes())]));
    let short = check(&sources(&[("a.yaml", TREE.join("---\n").as_bytes())]));
    assert_eq!(long.diagnostics, []);
    assert_eq!(long.desired, short.desired);
}

#[test]
fn a_broken_manifest_is_frozen_with_its_dependents() {
    let with = |defaults: &str| {
        let tree = [TREE[0], TREE[1], defaults, TREE[3]].join("---\n");
        let checked = check(&sources(&[("a.yaml", tree.as_bytes())]));
        let broken: Vec<_> = checked.broken.iter().map(|(kind, name)| format!("{kind}/{name}")).collect();
        (broken.join(" "), checked.desired.campaigns.len(), checked.unnamed)
    };
    // Without its defaults a campaign would mean something else.
    let broken = "Campaign/a Campaign/b Defaults/d".to_owned();
    assert_eq!(
        with("apiVersion: relance/v1\nkind: Defaults\nmetadata: {name: d}\nspec: {sequenceRef: nope}\n"),
        (broken.clone(), 0, false)
    );
    assert_eq!(with("apiVersion: relance/v1\nkind: Defaults\nmetadata: {name: d}\nspec: [\n"), (broken, 0, false));
}

#[test]
fn a_checked_template_renders() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests/good/full.yaml");
    let desired = alone(&path).1.desired;
    let (welcome, fr) = (Name::parse("welcome").unwrap(), Language::parse("fr").unwrap());
    let attributes = BTreeMap::new();
    let vars = Vars {
        name: "Paul",
        referrer_name: "Aminata",
        day: 1,
        days_total: 2,
        country: "CM",
        profession: "",
        language: "fr",
        registered_at: "2026-11-30",
        opt_out_hint: opt_out_hint(&fr),
        attributes: &attributes,
    };
    let text = &desired.sequences[&welcome].days[&1].text[&fr];
    assert_eq!(
        Template::compile(text).unwrap().render(&vars).unwrap(),
        "Bonjour Paul. Répondez STOP pour ne plus recevoir de messages."
    );
}
