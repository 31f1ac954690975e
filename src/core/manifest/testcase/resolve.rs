//! The resolution of a sound test into the form that can run.

use serde::Serialize;

use super::case::{
    At, CampaignTest, Edit, Event, Expectation, Fault, Order, Override, PlanExpectation, Row, Rows, Step, fields,
};
use super::expect_spec::{ExpectSpec, PlanSpec, RowsSpec};
use super::spec::{CampaignTestSpec, EditSpec, EventSpec, EventType, FaultSpec, OverrideSpec, StepSpec, WhoSpec};
use super::steps::clock_after;
use crate::core::diagnostic::Place;
use crate::core::domain::Name;
use crate::core::manifest::syntax::document::Document;
use crate::core::manifest::syntax::written::Written;

/// Resolves a test that passed its checks; returns `None` when it is not sound.
pub(in crate::core::manifest) fn resolve(
    spec: &CampaignTestSpec,
    name: &Name,
    document: &Document<'_>,
) -> Option<CampaignTest> {
    let steps = Steps { document };
    let mut clock = spec.clock.0;
    let mut resolved = Vec::with_capacity(spec.steps.len());
    for (index, step) in spec.steps.iter().enumerate() {
        clock = clock_after(step, clock);
        let at = format!("/spec/steps/{index}");
        let it = steps.step(step, &at, || Step::GoOn(clock))?;
        resolved.push(At { place: document.place(&at), it });
    }
    let faults = spec.channel.iter().flat_map(|channel| &channel.faults).flatten();
    let overlay = spec.overlay.iter().flatten().enumerate();
    Some(CampaignTest {
        name: name.clone(),
        place: document.place("/metadata/name"),
        clock: spec.clock.0,
        accounts: listed(document, "/spec/accounts", spec.accounts.as_deref()),
        referrals: listed(document, "/spec/referrals", spec.referrals.as_deref()),
        faults: faults.map(fault).collect(),
        overlay: overlay
            .map(|(index, value)| {
                Some(At { place: document.place(&format!("/spec/overlay/{index}")), it: Written::of(value)? })
            })
            .collect::<Option<_>>()?,
        steps: resolved,
    })
}

fn listed<T: Clone>(document: &Document<'_>, at: &str, list: Option<&[T]>) -> Vec<At<T>> {
    let entries = list.unwrap_or_default().iter().enumerate();
    entries.map(|(index, it)| At { place: document.place(&format!("{at}/{index}")), it: it.clone() }).collect()
}

fn fault(spec: &FaultSpec) -> Fault {
    Fault {
        referral: spec.referral.clone(),
        day: spec.day,
        campaign: spec.campaign.clone(),
        outcome: spec.outcome.clone(),
        times: spec.times.unwrap_or(1),
    }
}

struct Steps<'a, 'd> {
    document: &'a Document<'d>,
}

impl Steps<'_, '_> {
    fn step(&self, spec: &StepSpec, at: &str, go_on: impl FnOnce() -> Step) -> Option<Step> {
        Some(if spec.advance.is_some() || spec.at.is_some() {
            go_on()
        } else if let Some(event) = &spec.event {
            Step::Event(self::event(event)?)
        } else if let Some(edit) = &spec.edit {
            Step::Edit(self::edit(edit)?)
        } else if let Some(remove) = &spec.remove {
            Step::Remove(remove.kind, remove.name.clone())
        } else if spec.restart.is_some() {
            Step::Restart
        } else if let Some(overriding) = &spec.overriding {
            Step::Override(self::overriding(overriding)?)
        } else {
            Step::Expect(Box::new(self.expectation(spec.expect.as_ref()?, &format!("{at}/expect"))))
        })
    }

    fn expectation(&self, spec: &ExpectSpec, at: &str) -> Expectation {
        Expectation {
            messages: spec.messages.as_ref().and_then(|rows| self.rows(rows, &format!("{at}/messages"))),
            targets: spec.targets.as_ref().and_then(|rows| self.rows(rows, &format!("{at}/targets"))),
            runs: spec.runs.as_ref().and_then(|rows| self.rows(rows, &format!("{at}/runs"))),
            plan: spec.plan.as_ref().map(|plan| self.plan(plan, &format!("{at}/plan"))),
        }
    }

    fn plan(&self, spec: &PlanSpec, at: &str) -> PlanExpectation {
        PlanExpectation {
            place: self.document.place(at),
            changes: spec.changes.as_ref().and_then(|rows| self.rows(rows, &format!("{at}/changes"))),
            count: spec.count,
            refused: spec.refused.clone(),
            broken: spec.broken,
        }
    }

    fn rows<T: Serialize>(&self, spec: &RowsSpec<T>, at: &str) -> Option<Rows> {
        let row = |(below, row): (String, &T)| self.row(&format!("{at}{below}"), row);
        let mut rows: Vec<At<Row>> = spec.rows().into_iter().map(row).collect();
        Some(match spec {
            RowsSpec::Each(_) => Rows::Each(rows),
            RowsSpec::Only(_) => Rows::Only(self.place(at), rows),
            RowsSpec::Count(count, _) => Rows::Count(*count, rows.pop()?),
            RowsSpec::Unclear(_) => return None,
        })
    }

    fn row(&self, at: &str, row: &impl Serialize) -> At<Row> {
        At { place: self.place(at), it: fields(row) }
    }

    fn place(&self, at: &str) -> Place {
        self.document.place(at)
    }
}

fn event(spec: &EventSpec) -> Option<Event> {
    let referral = || match spec.referral.as_ref()? {
        WhoSpec::Id(id) => Some(id.clone()),
        WhoSpec::Whole(_) => None,
    };
    let account = || spec.account.clone();
    Some(match spec.kind {
        EventType::Paid => Event::Paid { referral: referral()? },
        EventType::Registered => match spec.referral.as_ref()? {
            WhoSpec::Whole(whole) => Event::Registered(whole.clone()),
            WhoSpec::Id(_) => return None,
        },
        EventType::Reply => Event::Reply { referral: referral()?, text: spec.text.clone()? },
        EventType::Receipt => Event::Receipt {
            referral: referral()?,
            day: spec.day?,
            campaign: spec.campaign.clone(),
            status: spec.status?,
        },
        EventType::SubscriptionEnded => Event::SubscriptionEnded { account: account()? },
        EventType::Disconnected => Event::Disconnected { account: account()? },
        EventType::Connected => Event::Connected { account: account()? },
    })
}

fn edit(spec: &EditSpec) -> Option<Edit> {
    Some(match &spec.manifest {
        Some(manifest) => Edit::Whole(Written::of(manifest)?),
        None => Edit::Patch { kind: spec.kind?, name: spec.name.clone()?, patch: spec.patch.clone()? },
    })
}

fn overriding(spec: &OverrideSpec) -> Option<Override> {
    let order = match spec.action {
        Some(action) => Order::Give { action, reason: spec.reason.clone()?, lasting: spec.lasting },
        None => Order::Clear,
    };
    Some(Override { order, campaign: spec.campaign.clone(), account: spec.account.clone() })
}
