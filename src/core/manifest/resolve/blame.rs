//! The reasons for broken manifests: the errors that keep each one from being used.

use std::collections::{BTreeMap, BTreeSet};

use super::read::Reading;
use crate::core::diagnostic::{Diagnostic, Place, Span};
use crate::core::domain::Name;
use crate::core::manifest::kind::Kind;

/// The manifests that are broken only because another one is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::core::manifest) struct Blame(BTreeMap<(Kind, Name), (Kind, Name)>);

impl Blame {
    /// Records that `broken` needs `other`, which cannot be used. Only the first record of a manifest counts.
    pub(in crate::core::manifest) fn add(&mut self, (kind, name): (Kind, &Name), (other, its_name): (Kind, &Name)) {
        self.0.entry((kind, name.clone())).or_insert((other, its_name.clone()));
    }
}

/// The part of a file that a manifest occupies.
#[derive(Debug)]
pub(in crate::core::manifest) struct Ground {
    span: Span,
    pub(in crate::core::manifest) of: (Kind, Name),
}

/// Returns the parts of a file that its manifests occupy.
pub(in crate::core::manifest) fn grounds(reading: &Reading<'_>) -> Vec<Ground> {
    let named = reading.manifests.iter().map(|it| (it.kind, &it.name, it.document.range()));
    let lost = reading.lost.iter().map(|(kind, name, span)| (*kind, name, *span));
    named.chain(lost).map(|(kind, name, span)| Ground { span, of: (kind, name.clone()) }).collect()
}

/// Returns the reasons for every broken manifest: its own errors, else those of the manifest it needs. `grounds` is
/// keyed by file.
pub(in crate::core::manifest) fn why(
    diagnostics: &[Diagnostic],
    broken: &BTreeSet<(Kind, Name)>,
    blame: &Blame,
    grounds: &BTreeMap<&str, Vec<Ground>>,
) -> BTreeMap<(Kind, Name), Vec<String>> {
    let mut own: BTreeMap<&(Kind, Name), Vec<String>> = BTreeMap::new();
    for error in diagnostics.iter().filter(|found| found.is_error()) {
        let places = std::iter::once(&error.place).chain(error.related.iter().map(|(place, _)| place));
        let concerned: BTreeSet<_> = places.flat_map(|place| standing_on(place, grounds)).collect();
        for of in concerned.into_iter().filter(|of| broken.contains(of)) {
            own.entry(of).or_default().push(error.to_string());
        }
    }
    broken.iter().map(|broken| (broken.clone(), because(broken, &own, blame))).collect()
}

fn standing_on<'g>(place: &Place, grounds: &'g BTreeMap<&str, Vec<Ground>>) -> Vec<&'g (Kind, Name)> {
    let file = grounds.get(&*place.file).into_iter().flatten();
    let on = file.filter(|ground| (ground.span.start..=ground.span.end).contains(&place.span.start));
    on.map(|ground| &ground.of).collect()
}

fn because<'a>(broken: &'a (Kind, Name), own: &BTreeMap<&(Kind, Name), Vec<String>>, blame: &'a Blame) -> Vec<String> {
    let mut why = Vec::new();
    let (mut at, mut seen) = (broken, BTreeSet::new());
    while seen.insert(at) {
        if let Some(errors) = own.get(at) {
            why.extend(errors.iter().cloned());
            break;
        }
        let Some(other) = blame.0.get(at) else { break };
        why.push(format!("it needs the `{}` `{}`, which cannot be used", other.0, other.1));
        at = other;
    }
    if why.is_empty() {
        why.push("it is part of what has errors elsewhere".to_owned());
    }
    why
}
