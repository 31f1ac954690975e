//! The execution of one test, step by step.

use std::sync::Arc;

use serde_json::Value;

use super::compare::{Found, Mismatch, compare, plural};
use super::failure::Failure;
use super::{events, facts, orders, past, rows};
use crate::core::diagnostic::{Code, Diagnostic, Place, text};
use crate::core::domain::{Name, Rejection};
use crate::core::manifest::Draft;
use crate::core::manifest::testcase::{
    At, CampaignTest, Edit, Event, Expectation, Fault, FaultOutcome, PlanExpectation, Rows, Step,
};
use crate::core::plan::Plan;
use crate::daemon::reconcile::{By, Outcome, Pass};
use crate::store::Store;
use crate::store::query::Wanted;
use crate::time_machine::script;
use crate::time_machine::script::{Reaction, Script};
use crate::time_machine::world::{Error, World};

pub(super) struct Story<'a> {
    test: &'a CampaignTest,
    world: World,
    tree: Draft,
    /// The plan and the pass of the last edit.
    last: Option<(Plan, Pass)>,
    /// Faults whose person or campaign does not exist yet.
    faults: Vec<&'a Fault>,
}

/// The failures so far; the test continues while there are none.
type Wrong = Vec<Failure>;

impl<'a> Story<'a> {
    /// Creates the world of a test, without people and manifests.
    pub(super) fn begin(store: Store, tree: Draft, test: &'a CampaignTest) -> Self {
        let world = World::begin(store, Arc::new(Script::default()), test.clock);
        Self { test, world, tree, last: None, faults: test.faults.iter().collect() }
    }

    /// Runs all steps. Returns the failures of the first step that does not hold.
    pub(super) async fn tell(mut self) -> Result<Wrong, Error> {
        let mut wrong = self.introduce().await?;
        let mut steps = self.test.steps.iter().enumerate();
        while let (true, Some((index, step))) = (wrong.is_empty(), steps.next()) {
            wrong = match self.step(index, step).await {
                // Time that no longer passes is a failure of this step.
                Err(endless @ Error::Endless { .. }) => vec![stopped(&step.place, endless.to_string(), Vec::new())],
                other => other?,
            };
        }
        Ok(wrong)
    }

    /// Imports the people and then applies the manifests, in the order of a real start.
    async fn introduce(&mut self) -> Result<Wrong, Error> {
        let CampaignTest { accounts, referrals, overlay, .. } = self.test;
        let export = facts::accounts(accounts.iter().map(|account| &account.it));
        let mut wrong = Wrong::new();
        // The import refuses an export without rows, but a test may have no people.
        if !accounts.is_empty() {
            wrong.extend(refused(accounts, &self.world.import_accounts(export).await?.rejected));
        }
        let export = facts::referrals(referrals.iter().map(|referral| &referral.it));
        if !referrals.is_empty() {
            wrong.extend(refused(referrals, &self.world.import_referrals(export).await?.rejected));
        }
        if !wrong.is_empty() {
            return Ok(wrong);
        }
        for overlaid in overlay {
            self.tree.put(overlaid.it.clone());
        }
        self.apply(&self.test.place.clone(), 0).await
    }

    async fn step(&mut self, index: usize, step: &'a At<Step>) -> Result<Wrong, Error> {
        match &step.it {
            Step::Expect(expectation) => return self.expect(expectation).await,
            Step::GoOn(until) => {
                self.world.run_until(*until).await?;
                return Ok(Wrong::new());
            }
            Step::Restart => self.world.restart(),
            Step::Edit(edit) => {
                let found = match edit {
                    Edit::Patch { kind, name, patch } => self.tree.patch(*kind, name, patch),
                    Edit::Whole(written) => {
                        self.tree.put(written.clone());
                        true
                    }
                };
                return if found { self.apply(&step.place, index + 1).await } else { Ok(vec![gone(&step.place)]) };
            }
            Step::Remove(kind, name) => {
                let found = self.tree.remove(*kind, name);
                return if found { self.apply(&step.place, index + 1).await } else { Ok(vec![gone(&step.place)]) };
            }
            Step::Event(event) => {
                let wrong = self.event(event, &step.place).await?;
                if !wrong.is_empty() {
                    return Ok(wrong);
                }
            }
            Step::Override(wanted) => {
                if let Some(impossible) = orders::order(&mut self.world, wanted).await? {
                    return Ok(vec![stopped(&step.place, impossible, Vec::new())]);
                }
            }
        }
        self.world.settle().await?;
        Ok(Wrong::new())
    }

    async fn event(&mut self, event: &Event, place: &Place) -> Result<Wrong, Error> {
        if let Event::Registered(referral) = event {
            let report = self.world.import_referrals(facts::referrals(std::iter::once(&**referral))).await?;
            self.install_faults().await?;
            return Ok(refused(&[At { place: place.clone(), it: () }], &report.rejected));
        }
        let impossible = events::happen(&mut self.world, event).await?;
        Ok(impossible.map(|sentence| stopped(place, sentence, Vec::new())).into_iter().collect())
    }

    /// Applies the current files, as the daemon does.
    ///
    /// Errors in the manifests or a refused plan fail the step, unless an expectation from step `next` on expects them.
    async fn apply(&mut self, place: &Place, next: usize) -> Result<Wrong, Error> {
        let sources = self.tree.sources();
        let plan = self.world.compare(sources.clone()).await?.plan;
        let pass = self.world.reconcile(&sources, By::Daemon).await?;
        let wrong = match &pass.outcome {
            Outcome::Refused(refusal) if !self.awaits(next, |plan| plan.refused.is_some()) => {
                vec![stopped(place, format!("the plan is refused: {refusal}"), Vec::new())]
            }
            _ if !pass.errors.is_empty() && !self.awaits(next, |plan| plan.broken == Some(true)) => {
                let shown = |error: &Diagnostic| {
                    let bytes = sources.bytes(&error.place.file).unwrap_or_default();
                    let bytes = text::without_secrets(bytes, &error.place.file, &pass.errors);
                    text::render(error, |path| (*path == *error.place.file).then_some(&*bytes), false)
                };
                let shown: Vec<String> = pass.errors.iter().map(shown).collect();
                let lines = shown.join("\n\n").lines().map(str::to_owned).collect();
                vec![stopped(place, "with this the manifests have errors".to_owned(), lines)]
            }
            _ => Vec::new(),
        };
        self.last = Some((plan, pass));
        self.install_faults().await?;
        self.world.settle().await?;
        Ok(wrong)
    }

    /// Returns true if an expectation before the next edit satisfies `says`.
    fn awaits(&self, next: usize, says: impl Fn(&PlanExpectation) -> bool) -> bool {
        let until_the_next = self.test.steps[next..]
            .iter()
            .map(|step| &step.it)
            .take_while(|step| !matches!(step, Step::Edit(_) | Step::Remove(..)));
        until_the_next.into_iter().any(|step| match step {
            Step::Expect(expectation) => expectation.plan.as_ref().is_some_and(&says),
            _ => false,
        })
    }

    /// Gives the script the faults whose person and campaign exist now.
    async fn install_faults(&mut self) -> Result<(), Error> {
        if self.faults.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = self.faults.iter().map(|fault| fault.referral.as_str()).collect();
        let people = self.world.store().find_referrals(&ids).await?;
        let (program, _) = self.world.in_force().await?;
        let mut waiting = Vec::new();
        for fault in std::mem::take(&mut self.faults) {
            let referral = people.get(&fault.referral).map(|person| person.referral);
            let named = |name: &Name| program.campaigns().find(|(_, campaign)| campaign.name == *name);
            let campaign = fault.campaign.as_ref().map(|name| named(name).map(|(id, _)| id));
            if referral.is_none() || campaign == Some(None) {
                waiting.push(fault);
                continue;
            }
            let fault = script::Fault {
                referral,
                campaign: campaign.flatten(),
                day: i16::try_from(fault.day).ok(),
                phone: None,
                reaction: reaction(&fault.outcome),
                times: Some(fault.times.into()),
            };
            self.world.script().edit_faults(|faults| faults.push(fault));
        }
        self.faults = waiting;
        Ok(())
    }

    async fn expect(&mut self, expectation: &Expectation) -> Result<Wrong, Error> {
        let mut mismatches = Vec::new();
        let all = Wanted::default();
        if let Some(rows) = &expectation.messages {
            let found = self.world.store().messages(&all).await?.rows;
            mismatches.extend(compare("message", rows, &found.iter().map(rows::message).collect::<Vec<_>>()));
        }
        if let Some(rows) = &expectation.targets {
            let (program, _) = self.world.in_force().await?;
            let found = self.world.store().targets(&program, &all, self.world.now()).await?.rows;
            mismatches.extend(compare("target", rows, &found.iter().map(rows::target).collect::<Vec<_>>()));
        }
        if let Some(rows) = &expectation.runs {
            let found = self.world.store().runs(&all).await?;
            mismatches.extend(compare("run", rows, &found.iter().map(rows::run).collect::<Vec<_>>()));
        }
        if let (Some(plan), Some((changes, pass))) = (&expectation.plan, &self.last) {
            mismatches.extend(expect_plan(plan, changes, pass));
        }
        let mut wrong = Vec::with_capacity(mismatches.len());
        for mismatch in mismatches {
            let events = past::of(&mut self.world, &mismatch.subjects).await?;
            let Mismatch { place, message, expected, found, diff, .. } = mismatch;
            let finding = Diagnostic::new(Code::ExpectationFailed, place, message);
            wrong.push(Failure { finding, expected, found, diff, events });
        }
        Ok(wrong)
    }
}

fn expect_plan(wanted: &PlanExpectation, plan: &Plan, pass: &Pass) -> Vec<Mismatch> {
    let (outcome, broken) = (&pass.outcome, !pass.errors.is_empty());
    let found: Vec<Found> = plan.changes.iter().map(rows::change).collect();
    let mut wrong = Vec::new();
    let mut say = |message: String, expected: Value, found: Value, diff: Vec<String>| {
        let place = wanted.place.clone();
        wrong.push(Mismatch { place, message, expected, found, diff, subjects: Vec::new() });
    };
    let came_to = match outcome {
        Outcome::InSync => "nothing changed".to_owned(),
        Outcome::Applied { .. } => "it was applied".to_owned(),
        Outcome::Refused(refusal) => format!("it was refused: {refusal}"),
        Outcome::Moved => "another plan was seen".to_owned(),
        Outcome::Foreign(foreign) => foreign.to_string(),
        Outcome::Broken(_) => "the manifests had errors".to_owned(),
    };
    if let Some(expected) = wanted.broken.filter(|expected| *expected != broken) {
        let what = if expected { "errors in the manifests" } else { "no errors in the manifests" };
        say(format!("expected {what}: {came_to}"), expected.into(), broken.into(), Vec::new());
    }
    if let Some(part) = &wanted.refused {
        let refused = matches!(outcome, Outcome::Refused(refusal) if refusal.to_string().contains(part.as_str()));
        if !refused {
            let message = format!("expected the plan to be refused because of `{part}`: {came_to}");
            say(message, part.as_str().into(), came_to.as_str().into(), Vec::new());
        }
    }
    let count = found.len() as u64;
    if let Some(expected) = wanted.count.filter(|expected| *expected != count) {
        let lines = found.iter().map(|change| format!("+ {}", change.title)).collect();
        say(format!("expected {}, found {count}", plural(expected, "change")), expected.into(), count.into(), lines);
    }
    wrong.extend(wanted.changes.iter().flat_map(|rows: &Rows| compare("change", rows, &found)));
    wrong
}

fn reaction(outcome: &FaultOutcome) -> Reaction {
    match outcome {
        FaultOutcome::Accepted => Reaction::Accepted,
        FaultOutcome::Rejected(code) => Reaction::Rejected(code.clone()),
        FaultOutcome::Timeout => Reaction::Timeout,
        FaultOutcome::Throttled => Reaction::Throttled,
        FaultOutcome::CrashBeforeOutcome => Reaction::CrashBeforeOutcome,
    }
}

/// Returns a failure for each row that the import refused, at the place of that row in the test.
fn refused<T>(facts: &[At<T>], rejected: &[Rejection]) -> Wrong {
    let one = |rejection: &Rejection| {
        let line = usize::try_from(rejection.line).ok()?;
        let fact = facts.get(line.checked_sub(1)?)?;
        let Rejection { column, value, reason, .. } = rejection;
        Some(stopped(&fact.place, format!("the import refuses this: {reason} (`{column}`: `{value}`)"), Vec::new()))
    };
    rejected.iter().filter_map(one).collect()
}

/// Returns the failure of an edit whose manifest the test removed or renamed before, which only a run reveals.
fn gone(place: &Place) -> Failure {
    stopped(place, "the manifest is not there at this point".to_owned(), Vec::new())
}

fn stopped(place: &Place, message: String, diff: Vec<String>) -> Failure {
    let finding = Diagnostic::new(Code::StepFailed, place.clone(), message);
    Failure { finding, expected: Value::Null, found: Value::Null, diff, events: Vec::new() }
}
