//! Checks of a test that need no tree.

use super::expect_spec::{ExpectSpec, RowsSpec};
use super::people::People;
use super::spec::CampaignTestSpec;
use super::steps;
use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::domain::Name;
use crate::core::manifest::kind::Kind;
use crate::core::manifest::syntax::document::Document;

/// Checks a test on its own. `overlay` holds kind and name of each overlay manifest, `None` for a bad one.
pub(in crate::core::manifest) fn check(
    spec: &CampaignTestSpec,
    overlay: &[Option<(Kind, Name)>],
    document: &Document<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let people = People::of(spec, document, found);
    for (index, fault) in spec.channel.iter().flat_map(|channel| &channel.faults).flatten().enumerate() {
        people.know_referral(&format!("/spec/channel/faults/{index}/referral"), &fault.referral, None, found);
    }
    let mut overlaid = Vec::new();
    for (at, key) in spec.overlay_places().zip(overlay) {
        let Some(key) = key else { continue };
        if overlaid.contains(&key) {
            let message = format!("`overlay` has two `{}` manifests named `{}`", key.0, key.1);
            let place = document.place(&format!("{at}/metadata/name"));
            found.push(Diagnostic::new(Code::DuplicateManifest, place, message).help("remove one of them"));
        }
        overlaid.push(key);
    }
    steps::check(spec, &people, document, found);
    if !spec.steps.iter().filter_map(|step| step.expect.as_ref()).any(expects_something) {
        let message = "the test expects nothing, so it can never fail";
        let help = "add a step such as `expect: {messages: [{referral: r1, day: 1, state: sent}]}`";
        found.push(Diagnostic::new(Code::TestExpectsNothing, document.key_place("/spec/steps"), message).help(help));
    }
}

fn expects_something(expect: &ExpectSpec) -> bool {
    fn rows<T>(rows: Option<&RowsSpec<T>>) -> bool {
        rows.is_some_and(|rows| !matches!(rows, RowsSpec::Each(rows) if rows.is_empty()))
    }
    let plan = expect.plan.as_ref().is_some_and(|plan| {
        plan.count.is_some() || plan.refused.is_some() || plan.broken.is_some() || rows(plan.changes.as_ref())
    });
    plan || rows(expect.messages.as_ref()) || rows(expect.targets.as_ref()) || rows(expect.runs.as_ref())
}
