//! Checks of a test against the tree: references to missing campaigns, manifests and days.

use std::collections::BTreeSet;

use serde_json::Value;

use super::case::{At, CampaignTest, Edit, Event, Row, Rows, Step, Wanted};
use crate::core::diagnostic::{Code, Diagnostic, Place, did_you_mean};
use crate::core::domain::Name;
use crate::core::manifest::desired::Desired;
use crate::core::manifest::kind::Kind;
use crate::core::manifest::syntax::document::{Document, join};

/// The maximum number of names in a help text.
const LISTED: usize = 8;

/// The tree that a test runs on. Broken manifests count as existing.
pub(in crate::core::manifest) struct Tree<'a> {
    pub(in crate::core::manifest) names: &'a BTreeSet<(Kind, Name)>,
    pub(in crate::core::manifest) desired: &'a Desired,
    /// The tree may have manifests and days that could not be read.
    pub(in crate::core::manifest) is_vague: bool,
}

/// Checks a test against the tree.
pub(in crate::core::manifest) fn check_against(
    tree: &Tree<'_>,
    test: &CampaignTest,
    document: &Document<'_>,
    found: &mut Vec<Diagnostic>,
) {
    if tree.is_vague {
        return;
    }
    let mut names = tree.names.clone();
    names.extend(test.overlay.iter().map(|overlaid| (overlaid.it.kind, overlaid.it.name.clone())));
    let mut look = Look { tree, test, document, ever: ever(&names, test), found };
    for (index, fault) in test.faults.iter().enumerate() {
        let at = format!("/spec/channel/faults/{index}");
        look.message(&at, fault.campaign.as_ref(), Some(fault.day));
    }
    for step in &test.steps {
        look.step(step, &mut names);
    }
}

/// Returns every campaign that exists at any point of the test.
fn ever(names: &BTreeSet<(Kind, Name)>, test: &CampaignTest) -> BTreeSet<Name> {
    let at_first = names.iter().filter(|(kind, _)| *kind == Kind::Campaign).map(|(_, name)| name.clone());
    let later = test.steps.iter().filter_map(|step| match &step.it {
        Step::Edit(Edit::Whole(written)) if written.kind == Kind::Campaign => Some(written.name.clone()),
        Step::Edit(Edit::Patch { kind: Kind::Campaign, patch, .. }) => renamed(patch),
        _ => None,
    });
    at_first.chain(later).collect()
}

/// Returns the new name that a patch gives, if it does.
fn renamed(patch: &Value) -> Option<Name> {
    Name::parse(patch.pointer("/metadata/name")?.as_str()?).ok()
}

struct Look<'a, 'd> {
    tree: &'a Tree<'a>,
    test: &'a CampaignTest,
    document: &'a Document<'d>,
    ever: BTreeSet<Name>,
    found: &'a mut Vec<Diagnostic>,
}

impl Look<'_, '_> {
    fn step(&mut self, step: &At<Step>, names: &mut BTreeSet<(Kind, Name)>) {
        let at = &step.place.pointer;
        match &step.it {
            Step::Event(Event::Receipt { day, campaign, .. }) => {
                self.message(&format!("{at}/event"), campaign.as_ref(), Some(*day));
            }
            Step::Override(overriding) => {
                self.message(&format!("{at}/override"), overriding.campaign.as_ref(), None);
            }
            Step::Edit(Edit::Whole(written)) => {
                names.insert((written.kind, written.name.clone()));
            }
            Step::Edit(Edit::Patch { kind, name, patch }) => {
                self.there(&format!("{at}/edit/name"), *kind, name, names);
                if let Some(new) = renamed(patch) {
                    names.remove(&(*kind, name.clone()));
                    names.insert((*kind, new));
                }
            }
            Step::Remove(kind, name) => {
                self.there(&format!("{at}/remove/name"), *kind, name, names);
                names.remove(&(*kind, name.clone()));
            }
            Step::Expect(expectation) => {
                for rows in [&expectation.messages, &expectation.targets, &expectation.runs].into_iter().flatten() {
                    self.rows(rows);
                }
            }
            Step::GoOn(_) | Step::Restart | Step::Event(_) => {}
        }
    }

    fn rows(&mut self, rows: &Rows) {
        let rows = match rows {
            Rows::Each(rows) | Rows::Only(_, rows) => rows.as_slice(),
            Rows::Count(_, row) => std::slice::from_ref(row),
        };
        for row in rows {
            let campaign = word(&row.it, "campaign").and_then(Value::as_str).and_then(|name| Name::parse(name).ok());
            let day = word(&row.it, "day").and_then(Value::as_u64).and_then(|day| u16::try_from(day).ok());
            self.message(&row.place.pointer, campaign.as_ref(), day);
        }
    }

    /// Checks the campaign and the day that the value at `at` refers to.
    fn message(&mut self, at: &str, campaign: Option<&Name>, day: Option<u16>) {
        if let Some(name) = campaign
            && !self.ever.contains(name)
        {
            let message = format!("there is no campaign `{name}` in the tree or in this test");
            let known: Vec<&str> = self.ever.iter().map(Name::as_str).collect();
            let one = unknown(self.document.place(&join(at, "campaign")), name, message, &known);
            self.found.push(one);
            return;
        }
        let Some(day) = day else { return };
        let days = self.days(campaign);
        if !days.is_empty() && !days.contains(&day) {
            let message = match campaign {
                Some(name) => format!("the sequence of `{name}` has no day {day}"),
                None => format!("no sequence has a day {day}"),
            };
            let last = days.iter().next_back().copied().unwrap_or_default();
            let place = self.document.place(&join(at, "day"));
            self.found.push(Diagnostic::new(Code::UnknownDay, place, message).help(format!("days go up to {last}")));
        }
    }

    fn there(&mut self, at: &str, kind: Kind, name: &Name, names: &BTreeSet<(Kind, Name)>) {
        if names.contains(&(kind, name.clone())) {
            return;
        }
        let known: Vec<&str> =
            names.iter().filter(|(other, _)| *other == kind).map(|(_, name)| name.as_str()).collect();
        let message = format!("there is no `{kind}` named `{name}` at this point");
        self.found.push(unknown(self.document.place(at), name, message, &known));
    }

    /// Returns the days that a message of `campaign` may have. If the test changes nothing that decides the days, they
    /// are those of its sequence; else those of any sequence.
    fn days(&self, campaign: Option<&Name>) -> BTreeSet<u16> {
        let desired = self.tree.desired;
        let changed: Vec<&Value> = self.changed(campaign).collect();
        if let (Some(campaign), true) = (campaign, changed.is_empty()) {
            let campaign = desired.campaigns.get(campaign);
            let sequence = campaign.and_then(|campaign| desired.sequences.get(&campaign.sequence));
            return sequence.map(|sequence| sequence.days.keys().copied().collect()).unwrap_or_default();
        }
        let written = changed.into_iter().filter_map(|value| value.pointer("/spec/days")?.as_array()).flatten();
        let numbers = written.filter_map(|day| u16::try_from(day.get("day")?.as_u64()?).ok());
        desired.sequences.values().flat_map(|sequence| sequence.days.keys().copied()).chain(numbers).collect()
    }

    /// Returns the changes of the test to manifests that decide which days `campaign` has.
    fn changed(&self, campaign: Option<&Name>) -> impl Iterator<Item = &Value> {
        let overlaid =
            self.test.overlay.iter().map(|overlaid| (overlaid.it.kind, &overlaid.it.name, &overlaid.it.value));
        let edited = self.test.steps.iter().filter_map(|step| match &step.it {
            Step::Edit(Edit::Whole(written)) => Some((written.kind, &written.name, &written.value)),
            Step::Edit(Edit::Patch { kind, name, patch }) => Some((*kind, name, patch)),
            _ => None,
        });
        let decides = move |kind: Kind, name: &Name, value: &Value| match kind {
            Kind::Sequence => true,
            Kind::Campaign => campaign.is_none_or(|campaign| campaign == name),
            Kind::Defaults => value.pointer("/spec/sequenceRef").is_some(),
            Kind::Filter
            | Kind::Schedule
            | Kind::Channel
            | Kind::Queue
            | Kind::Account
            | Kind::Notifier
            | Kind::CampaignTest => false,
        };
        overlaid.chain(edited).filter(move |(kind, name, value)| decides(*kind, name, value)).map(|(_, _, value)| value)
    }
}

fn unknown(place: Place, name: &Name, message: String, known: &[&str]) -> Diagnostic {
    let others = match known.len() {
        0 => "there is none at all".to_owned(),
        _ => format!("there are `{}`", known[..known.len().min(LISTED)].join("`, `")),
    };
    let help = did_you_mean(name.as_str(), known.iter().copied()).unwrap_or(others);
    Diagnostic::new(Code::UnknownManifest, place, message).help(help)
}

fn word<'a>(row: &'a Row, name: &str) -> Option<&'a Value> {
    row.iter().find(|field| field.name == name).and_then(|field| match &field.wanted {
        Wanted::Is(value) => Some(value),
        Wanted::Contains(_) => None,
    })
}
