//! Trees with errors, and stored objects that cannot be used, beside sound ones.

use super::{Freeze, freeze, renames};
use crate::core::domain::Name;
use crate::core::manifest;
use crate::core::manifest::{Checked, Desired, SourceFile, Sources};
use crate::core::plan;
use crate::core::plan::{FORMAT, Objects, StoredObject};

const HEAD: &str = "apiVersion: relance/v1\nkind: ";

/// Builds a tree from manifests written as `Kind name {spec}`.
fn tree(manifests: &[&str]) -> Checked {
    let documents = manifests.iter().map(|manifest| match manifest.splitn(3, ' ').collect::<Vec<_>>()[..] {
        _ if manifest.starts_with(HEAD) => format!("{manifest}\n"),
        [kind, name, spec] => format!("{HEAD}{kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"),
        _ => format!("{manifest}\n"),
    });
    let bytes = documents.collect::<Vec<_>>().join("---\n").into_bytes();
    manifest::check(&Sources::from(vec![SourceFile { path: "tree.yaml".to_owned(), bytes }]))
}

/// Reads objects as the database holds them, made from manifests with the digest `source`.
fn stored(objects: &Objects, source: &str) -> Desired {
    let stored = objects.iter().map(|((kind, name), body)| StoredObject {
        kind: *kind,
        name: name.clone(),
        format: FORMAT,
        body: body.to_string(),
        source: source.to_owned(),
    });
    Desired::from_stored(stored).0
}

/// Returns the state of `manifests` with one stored object that cannot be read.
fn damaged(manifests: &[&str], kind: plan::Kind, name: &str) -> Desired {
    let checked = tree(manifests);
    let key = (kind, Name::parse(name).unwrap());
    let mut objects = sound(manifests).to_objects();
    objects.get_mut(&key).unwrap()["zeal"] = true.into();
    let versions = &checked.versions;
    let source = versions.get(&(kind.manifest(), key.1.clone())).unwrap();
    let desired = stored(&objects, source);
    assert_eq!(desired.unusable.len(), 1, "{:?}", desired.unusable);
    desired
}

#[test]
fn an_unreadable_object_stays_until_its_manifest_changes() {
    let tree = [DAYS, A, B];
    let in_force = damaged(&tree, plan::Kind::Campaign, "a");
    // Neither the same manifest, a broken one nor none at all replaces what is stored. Others change.
    for manifests in [&[DAYS, A, B_EDITED][..], &[DAYS, A_BROKEN, B_EDITED], &[DAYS, B_EDITED]] {
        let (frozen, desired) = mixed(manifests, &in_force);
        assert_eq!((frozen.as_str(), &desired.unusable), ("Campaign/a!", &in_force.unusable));
        assert_eq!(desired.campaigns, sound(&[DAYS, B_EDITED]).campaigns);
        assert_eq!(desired.to_objects().len(), 4);
    }
    let edited = "Campaign a {type: filtered, sequenceRef: days, priority: 9}";
    assert_eq!(mixed(&[DAYS, edited, B], &in_force), (String::new(), sound(&[DAYS, edited, B])));
    let why = &freeze(&super::tests::tree(&tree), &in_force).frozen[0].why;
    assert_eq!(why[0], "the stored Campaign `a` cannot be used: this version does not know its field `zeal`");
}

#[test]
fn campaigns_of_an_unusable_sequence_freeze_with_it() {
    let other = "Campaign c {type: filtered, days: [{day: 1, text: {fr: a}}], priority: 3}";
    let other_edited = "Campaign c {type: filtered, days: [{day: 1, text: {fr: a}}], priority: 33}";
    let in_force = damaged(&[DAYS, B, other], plan::Kind::Sequence, "days");
    let (frozen, desired) = mixed(&[DAYS, B_EDITED, other_edited], &in_force);
    assert_eq!(frozen, "Campaign/b Sequence/days!");
    assert_eq!(desired.campaigns, sound(&[DAYS, B, other_edited]).campaigns);
    let (frozen, desired) = mixed(&[SHORT, B_EDITED, other], &in_force);
    assert_eq!((frozen.as_str(), desired), ("", sound(&[SHORT, B_EDITED, other])));
}

#[test]
fn an_unreadable_campaign_is_renamed_only_by_a_valid_manifest() {
    let in_force = damaged(&[DAYS, AUTUMN, B], plan::Kind::Campaign, "autumn");
    let winter = annotated("winter", "relance/renamed-from: autumn", "");
    assert_eq!(renamed(&[DAYS, &winter, B], &in_force), "autumn->winter");
    let broken = annotated("winter", "relance/renamed-from: autumn", ", priority: low");
    assert_eq!(renamed(&[DAYS, &broken, B], &in_force), "");
}

fn sound(manifests: &[&str]) -> Desired {
    let checked = tree(manifests);
    assert!(!checked.has_errors(), "{:#?}", checked.diagnostics);
    checked.desired
}

/// Returns the frozen objects of `manifests` as `Kind/name`, with `!` for those not in force.
fn mixed(manifests: &[&str], in_force: &Desired) -> (String, Desired) {
    let Freeze { desired, frozen, kept } = freeze(&tree(manifests), in_force);
    let misfits = desired.misfits().into_iter();
    let unexplained = misfits.filter(|misfit| !misfit.between.iter().any(|key| desired.unusable.contains_key(key)));
    assert_eq!(unexplained.collect::<Vec<_>>(), []);
    for one in &frozen {
        assert!(!one.why.is_empty(), "{one:?}");
    }
    let names = frozen.iter().map(|one| format!("{}/{}{}", one.kind, one.name, if one.in_force { "" } else { "!" }));
    let kept = kept.iter().map(|one| format!("~{}/{}", one.kind, one.name));
    (names.chain(kept).collect::<Vec<_>>().join(" "), desired)
}

const DAYS: &str = "Sequence days {fallbackLanguage: fr, days: [{day: 1, text: {fr: a}}, {day: 2, text: {fr: b}}]}";
const SHORT: &str = "Sequence days {fallbackLanguage: fr, days: [{day: 1, text: {fr: a}}]}";
const A: &str = "Campaign a {type: filtered, sequenceRef: days, priority: 1}";
const B: &str = "Campaign b {type: filtered, sequenceRef: days, priority: 2}";
const B_EDITED: &str = "Campaign b {type: filtered, sequenceRef: days, priority: 22}";
const A_BROKEN: &str = "Campaign a {type: filtered, sequenceRef: days, priority: high}";

#[test]
fn a_tree_without_errors_is_used_unchanged() {
    let (frozen, desired) = mixed(&[DAYS, B_EDITED], &sound(&[DAYS, A, B]));
    assert_eq!((frozen.as_str(), desired), ("", sound(&[DAYS, B_EDITED])));
}

#[test]
fn broken_manifests_freeze_while_others_change() {
    let in_force = sound(&[DAYS, A, B]);
    let (frozen, desired) = mixed(&[DAYS, A_BROKEN, B_EDITED, "Campaign new {}"], &in_force);
    assert_eq!((frozen.as_str(), desired), ("Campaign/a Campaign/new!", sound(&[DAYS, A, B_EDITED])));
    // Everything that needs the broken sequence is frozen with it: here, all objects.
    let (frozen, desired) = mixed(&["Sequence days {}", A, B_EDITED], &in_force);
    assert_eq!((frozen.as_str(), desired), ("Campaign/a Campaign/b Sequence/days", in_force));
}

#[test]
fn frozen_dependents_name_the_broken_manifest() {
    let frozen = freeze(&tree(&["Sequence days {}", A]), &sound(&[DAYS, A])).frozen;
    assert_eq!(frozen[0].why[0], "it needs the `Sequence` `days`, which cannot be used");
    assert!(frozen[0].why[1].starts_with("error[RL0205] tree.yaml:4:1"), "{:?}", frozen[0].why);
    assert_eq!(frozen[1].why, frozen[0].why[1..]);
}

#[test]
fn broken_defaults_freeze_the_campaigns_that_use_them() {
    let in_force = sound(&["Defaults all {limits: {messagesPerDay: 7, targets: 3}}", DAYS, A]);
    for defaults in ["Defaults all {limits: 7}", "Defaults all {sequenceRef: none}"] {
        let (frozen, desired) = mixed(&[defaults, DAYS, A], &in_force);
        assert_eq!((frozen.as_str(), desired), ("Campaign/a Defaults/all", in_force.clone()));
    }
}

#[test]
fn an_unnamed_manifest_prevents_every_removal() {
    let in_force = sound(&["Defaults all {limits: {messagesPerDay: 7}}", DAYS, A, B, "Queue q {campaigns: [a, b]}"]);
    // The unreadable manifest may also be the `Defaults`.
    let (frozen, desired) = mixed(&[DAYS, B_EDITED, "kind: ["], &in_force);
    assert_eq!((frozen.as_str(), desired), ("Campaign/b ~Campaign/a ~Queue/q", in_force.clone()));
    let (_, desired) = mixed(&["Defaults all {}", DAYS, B_EDITED, "kind: ["], &in_force);
    assert_eq!(desired, sound(&[DAYS, A, B_EDITED, "Queue q {campaigns: [a, b]}"]));
    // A campaign without a name is not the `Defaults`.
    let bytes = format!("{HEAD}Campaign\nmetadata: {{}}\nspec: {{type: filtered}}\n").into_bytes();
    let checked = manifest::check(&Sources::from(vec![SourceFile { path: "x.yaml".to_owned(), bytes }]));
    assert!(checked.unnamed && !checked.hides_defaults);
}

#[test]
fn dependencies_of_a_frozen_campaign_stay_in_force() {
    let own = "Campaign a {type: filtered, days: [{day: 1, text: {fr: STOP}}]}";
    let in_force = sound(&[own, DAYS, B]);
    let (frozen, desired) = mixed(&["Campaign a {type: filtered, days: 1}", DAYS, B], &in_force);
    assert_eq!((frozen.as_str(), desired), ("Campaign/a ~Sequence/a", in_force));

    let day_two = "Campaign a {type: filtered, sequenceRef: days, channelRef: c, days: [{day: 2, text: {fr: STOP}}]}";
    let in_force = sound(&["Channel c {type: sandbox}", DAYS, day_two, B]);
    // The frozen campaign needs the longer sequence and the channel, which the tree shortens and removes.
    let (frozen, desired) = mixed(&[SHORT, "Campaign a {type: filtered, filterRef: none}", B_EDITED], &in_force);
    assert_eq!(frozen, "Campaign/a Sequence/days ~Channel/c");
    assert_eq!(desired, sound(&["Channel c {type: sandbox}", DAYS, day_two, B_EDITED]));
}

#[test]
fn changes_that_contradict_a_frozen_manifest_wait() {
    let after =
        |name: &str, other: &str| format!("Campaign {name} {{type: filtered, sequenceRef: days, runAfter: {other}}}");
    let in_force = sound(&[DAYS, &after("a", "b"), B]);
    let (frozen, desired) = mixed(&[DAYS, A_BROKEN, &after("b", "a")], &in_force);
    // The campaign needs an object that cannot be used; otherwise the cycle would be next.
    assert_eq!((frozen.as_str(), desired), ("Campaign/a Campaign/b", in_force));

    // A broken queue keeps its ordering.
    let in_force = sound(&[DAYS, A, B, "Queue q {campaigns: [a, b]}"]);
    let (frozen, desired) = mixed(&[DAYS, &after("a", "b"), B_EDITED, "Queue q {}"], &in_force);
    assert_eq!((frozen.as_str(), desired), ("Campaign/a Campaign/b Queue/q", in_force));

    let third = "Campaign third {type: filtered, sequenceRef: days}";
    let in_force = sound(&[DAYS, A, B, third, "Queue q {campaigns: [a, b]}"]);
    let (frozen, desired) = mixed(&[DAYS, A, B, third, "Queue q {}", "Queue r {campaigns: [b, third]}"], &in_force);
    assert_eq!((frozen.as_str(), desired), ("Queue/q Queue/r!", in_force));

    let default = |name: &str| format!("Campaign {name} {{type: default, sequenceRef: days}}");
    let in_force = sound(&[DAYS, &default("d"), B]);
    let (frozen, desired) =
        mixed(&[DAYS, "Campaign d {type: filtered, priority: high}", &default("e"), B_EDITED], &in_force);
    assert_eq!((frozen.as_str(), desired), ("Campaign/d Campaign/e!", sound(&[DAYS, &default("d"), B_EDITED])));
}

#[test]
fn a_frozen_account_keeps_the_channel_it_needs() {
    let channel = "Channel c {type: sandbox}";
    let some = "Account some {accounts: {names: [a1]}, channelRef: c, sending: off}";
    let in_force = sound(&[DAYS, B, channel, some]);
    assert_eq!(stored(&in_force.to_objects(), ""), in_force);
    // The account is broken, and it needs the channel that the tree removes.
    let (frozen, desired) = mixed(&[DAYS, B, "Account some {accounts: {names: [a1]}, sending: none}"], &in_force);
    assert_eq!((frozen.as_str(), desired), ("Account/some ~Channel/c", in_force.clone()));
    // The unreadable manifest may be the missing account.
    let (frozen, desired) = mixed(&[DAYS, B, channel, "kind: ["], &in_force);
    assert_eq!((frozen.as_str(), desired), ("Campaign/b ~Account/some", in_force.clone()));
    // The other account would set a field that the frozen one sets.
    let broken = "Account some {accounts: {names: [a1]}, channelRef: none}";
    let other = "Account other {accounts: {names: [a1, a2]}, sending: on}";
    let (frozen, desired) = mixed(&[DAYS, B, channel, broken, other], &in_force);
    assert_eq!((frozen.as_str(), desired), ("Account/other! Account/some", in_force));
    // All accounts use this channel by default.
    let in_force = sound(&["Defaults all {channelRef: c}", DAYS, B, channel]);
    let (frozen, desired) = mixed(&["Defaults all {channelRef: 7}", DAYS, B], &in_force);
    assert_eq!((frozen.as_str(), desired), ("Campaign/b Defaults/all ~Channel/c", in_force));
}

#[test]
fn a_protected_account_outlives_its_manifest() {
    let kept = format!(
        "{HEAD}Account\nmetadata: {{name: stopped, annotations: {{relance/prune: disabled}}}}\n\
         spec: {{accounts: {{names: [a1]}}, sending: off}}"
    );
    let in_force = sound(&[DAYS, B, &kept]);
    let (frozen, desired) = mixed(&[DAYS, B_EDITED], &in_force);
    assert_eq!((frozen.as_str(), &desired.accounts), ("~Account/stopped", &in_force.accounts));
}

const AUTUMN: &str = "Campaign autumn {type: filtered, sequenceRef: days}";

/// Returns a campaign with annotations.
fn annotated(name: &str, annotations: &str, spec: &str) -> String {
    let spec = format!("{{type: filtered, sequenceRef: days{spec}}}");
    format!("{HEAD}Campaign\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\nspec: {spec}")
}

fn renamed(manifests: &[&str], in_force: &Desired) -> String {
    let renames = renames(&tree(manifests), in_force);
    renames.iter().map(|(new, old)| format!("{old}->{new}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_rename_requires_that_the_old_campaign_is_gone() {
    let in_force = sound(&[DAYS, AUTUMN, B]);
    let winter = annotated("winter", "relance/renamed-from: autumn", "");
    assert_eq!(renamed(&[DAYS, &winter, B], &in_force), "autumn->winter");
    // The rename counts although another field of the campaign is wrong.
    let broken = annotated("winter", "relance/renamed-from: autumn", ", priority: low");
    assert_eq!(renamed(&[DAYS, &broken, B], &in_force), "autumn->winter");
    // The old campaign is present, valid or broken; then it does not exist; then the new one is in force already.
    assert_eq!(renamed(&[DAYS, &winter, AUTUMN, B], &in_force), "");
    assert_eq!(renamed(&[DAYS, &winter, "Campaign autumn {}", B], &in_force), "");
    assert_eq!(renamed(&[DAYS, &winter, B], &sound(&[DAYS, B])), "");
    assert_eq!(renamed(&[DAYS, &annotated("b", "relance/renamed-from: autumn", "")], &in_force), "");
}

#[test]
fn an_old_name_claimed_by_two_is_not_renamed() {
    let in_force = sound(&[DAYS, AUTUMN, B]);
    let claims = ["winter", "spring"].map(|name| annotated(name, "relance/renamed-from: autumn", ""));
    assert_eq!(renamed(&[DAYS, &claims[0], &claims[1], B], &in_force), "");
    let (frozen, desired) = mixed(&[DAYS, &claims[0], &claims[1], B], &in_force);
    assert_eq!((frozen.as_str(), desired), ("Campaign/autumn Campaign/spring! Campaign/winter!", in_force.clone()));
    // An unreadable manifest may claim any old name.
    let unread = format!("{HEAD}Campaign\nmetadata:\n  name: winter\nspec: [");
    let (frozen, desired) = mixed(&[DAYS, B_EDITED, &unread], &in_force);
    assert_eq!((frozen.as_str(), desired), ("Campaign/winter! ~Campaign/autumn", sound(&[DAYS, AUTUMN, B_EDITED])));
}

#[test]
fn a_protected_campaign_stays_with_its_sequence() {
    let protected = annotated("autumn", "relance/prune: disabled", "");
    let in_force = sound(&[DAYS, &protected, B]);
    assert_eq!(stored(&in_force.to_objects(), ""), in_force);
    // The campaign's sequence is kept with it.
    let (kept, desired) = mixed(&["Campaign b {type: filtered, days: [{day: 1, text: {fr: STOP}}]}"], &in_force);
    assert_eq!(kept, "~Campaign/autumn ~Sequence/days");
    assert!(desired.protected == in_force.protected && desired.campaigns.len() == 2);
    let (kept, desired) = mixed(&[DAYS, AUTUMN, B], &in_force);
    assert_eq!((kept.as_str(), desired), ("", sound(&[DAYS, AUTUMN, B])));
    // The annotation of a frozen manifest does not take effect.
    let (_, desired) = mixed(
        &[DAYS, &annotated("autumn", "relance/prune: disabled", ", priority: low"), B],
        &sound(&[DAYS, AUTUMN, B]),
    );
    assert_eq!(desired, sound(&[DAYS, AUTUMN, B]));
}
