//! Checks of the steps of a test in order: time moves forward, and each step is complete.

use chrono::{Datelike, TimeDelta};
use serde::Serialize;

use super::case::{Wanted, fields};
use super::expect_spec::{ExpectSpec, RowsSpec};
use super::people::People;
use super::spec::{CampaignTestSpec, EditSpec, EventSpec, EventType, OverrideSpec, StepSpec, WhoSpec};
use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::domain::Timestamp;
use crate::core::manifest::syntax::document::{Document, join};
use crate::core::manifest::syntax::header;

/// The last year that zone arithmetic supports.
const LAST_YEAR: i32 = 2999;

pub(super) fn check<'d>(
    spec: &CampaignTestSpec,
    people: &People<'_, 'd>,
    document: &Document<'d>,
    found: &mut Vec<Diagnostic>,
) {
    let mut clock = spec.clock.0;
    for (index, step) in spec.steps.iter().enumerate() {
        let mut look = Look { people, document, index, at: format!("/spec/steps/{index}"), found };
        clock = look.time(step, clock);
        if let Some(event) = &step.event {
            look.event(event);
        }
        if let Some(edit) = &step.edit {
            look.edit(edit);
        }
        if let Some(overriding) = &step.overriding {
            look.overriding(overriding);
        }
        if let Some(expect) = &step.expect {
            look.expect(expect);
        }
    }
}

/// Returns the instant that a step leads to.
pub(super) fn clock_after(step: &StepSpec, clock: Timestamp) -> Timestamp {
    let advance = step.advance.and_then(|period| i64::try_from(period.as_seconds()).ok());
    let advanced = clock.checked_add_signed(TimeDelta::seconds(advance.unwrap_or_default())).unwrap_or(clock);
    step.at.map_or(advanced, |at| at.0.max(clock))
}

struct Look<'a, 'd, 'f> {
    people: &'a People<'a, 'd>,
    document: &'a Document<'d>,
    index: usize,
    /// The JSON pointer of the step.
    at: String,
    found: &'f mut Vec<Diagnostic>,
}

impl Look<'_, '_, '_> {
    fn say(&mut self, code: Code, below: &str, message: impl Into<String>, help: impl Into<String>) {
        let place = self.document.place(&format!("{}/{below}", self.at));
        self.found.push(Diagnostic::new(code, place, message).help(help));
    }

    fn time(&mut self, step: &StepSpec, clock: Timestamp) -> Timestamp {
        if step.at.is_some_and(|at| at.0 < clock) {
            let message = format!("time goes back: the steps above come to {}", clock.to_rfc3339());
            self.say(Code::TimeGoesBack, "at", message, "write a later instant, or a length of time with `advance`");
        }
        let after = clock_after(step, clock);
        if after.year() > LAST_YEAR {
            let message = format!("the test goes on beyond the year {LAST_YEAR}");
            self.say(Code::InvalidValue, "advance", message, "is a unit wrong?");
            return clock;
        }
        after
    }

    fn event(&mut self, event: &EventSpec) {
        let (needed, allowed): (&[&str], &[&str]) = match event.kind {
            EventType::Paid | EventType::Registered => (&["referral"], &[]),
            EventType::Reply => (&["referral", "text"], &[]),
            EventType::Receipt => (&["referral", "day", "status"], &["campaign"]),
            EventType::SubscriptionEnded | EventType::Disconnected | EventType::Connected => (&["account"], &[]),
        };
        let kind = self.document.raw(&format!("{}/event/type", self.at)).trim_matches(['"', '\'']).to_owned();
        let keys = [
            ("referral", event.referral.is_some()),
            ("account", event.account.is_some()),
            ("text", event.text.is_some()),
            ("day", event.day.is_some()),
            ("campaign", event.campaign.is_some()),
            ("status", event.status.is_some()),
        ];
        for (key, there) in keys {
            if there && !needed.contains(&key) && !allowed.contains(&key) {
                let message = format!("`{key}` says nothing about an event of type `{kind}`");
                let help = format!("remove it; such an event has `{}`", needed.join("`, `"));
                self.say(Code::StepKeys, &format!("event/{key}"), message, help);
            } else if !there && needed.contains(&key) {
                let message = format!("an event of type `{kind}` needs `{key}`");
                self.say(Code::StepKeys, "event", message, format!("add `{key}:`"));
            }
        }
        self.who(event, &kind);
        if let Some(account) = &event.account {
            self.people.know_account(&format!("{}/event/account", self.at), account, self.found);
        }
    }

    fn who(&mut self, event: &EventSpec, kind: &str) {
        match (&event.referral, event.kind == EventType::Registered) {
            (Some(WhoSpec::Id(id)), false) => {
                self.people.know_referral(&format!("{}/event/referral", self.at), id, Some(self.index), self.found);
            }
            (Some(WhoSpec::Id(_)), true) => self.say(
                Code::StepKeys,
                "event/referral",
                "an event of type `registered` needs the whole referral",
                "write `referral: {id: …, account: …, phone: …, country: …, registeredAt: …}`",
            ),
            (Some(WhoSpec::Whole(referral)), false) => self.say(
                Code::StepKeys,
                "event/referral",
                format!("an event of type `{kind}` takes the id of a referral"),
                format!("write `referral: {}`", referral.id),
            ),
            (Some(WhoSpec::Whole(_)), true) | (None, _) => {}
        }
    }

    fn edit(&mut self, edit: &EditSpec) {
        let patch = [edit.kind.is_some(), edit.name.is_some(), edit.patch.is_some()];
        let help = "write `edit: {kind: Campaign, name: …, patch: {spec: {…}}}` or `edit: {manifest: {…}}`";
        match (&edit.manifest, patch) {
            (Some(_), [false, false, false]) => {
                header::nested_name(self.document, &format!("{}/edit/manifest", self.at), self.found);
            }
            (None, [true, true, true]) => {}
            (Some(_), _) => {
                self.say(Code::StepKeys, "edit", "the edit is both a patch and a whole manifest", help);
            }
            (None, _) => self.say(Code::StepKeys, "edit", "the edit does not say what changes", help),
        }
    }

    fn overriding(&mut self, overriding: &OverrideSpec) {
        let help =
            "write `override: {action: pause, campaign: …, reason: …}` or `override: {clear: true, campaign: …}`";
        match (overriding.action, overriding.clear) {
            (Some(_), None) if overriding.reason.is_none() => {
                self.say(Code::StepKeys, "override", "the override does not say why", "add `reason:`");
            }
            (Some(_), None) => {}
            (None, Some(true)) if overriding.reason.is_none() && overriding.lasting.is_none() => {}
            (None, Some(true)) => {
                self.say(Code::StepKeys, "override", "`clear` goes with neither `reason` nor `for`", help);
            }
            _ => self.say(Code::StepKeys, "override", "the override takes either an `action` or `clear: true`", help),
        }
        if overriding.campaign.is_none() && overriding.account.is_none() {
            let help = "add `campaign:`, `account:` or both";
            self.say(Code::StepKeys, "override", "the override does not say what it is about", help);
        }
        if let Some(account) = &overriding.account {
            self.people.know_account(&format!("{}/override/account", self.at), account, self.found);
        }
    }

    fn expect(&mut self, expect: &ExpectSpec) {
        self.rows("expect/messages", expect.messages.as_ref());
        self.rows("expect/targets", expect.targets.as_ref());
        self.rows("expect/runs", expect.runs.as_ref());
        self.rows("expect/plan/changes", expect.plan.as_ref().and_then(|plan| plan.changes.as_ref()));
    }

    fn rows<T: Serialize>(&mut self, below: &str, rows: Option<&RowsSpec<T>>) {
        let Some(rows) = rows else { return };
        if let RowsSpec::Unclear(keys) = rows {
            let noun = below.rsplit('/').next().unwrap_or_default();
            let message = if keys.iter().any(|key| key == "only") {
                format!("`only` stands alone, and `{noun}` has other keys beside it")
            } else {
                format!("`{noun}` is a mapping that says neither `only` nor `count`")
            };
            let help = format!(
                "write `{noun}: [{{…}}]` for rows that must be there, `{{only: [{{…}}]}}` for no others, `{{count: 1, …}}` for a number"
            );
            self.say(Code::StepKeys, below, message, help);
        }
        for (place, row) in rows.rows() {
            for field in fields(row) {
                let at = join(&format!("{}/{below}{place}", self.at), &field.name);
                match (field.name.as_str(), field.wanted) {
                    ("referral", Wanted::Is(id)) => {
                        self.people.know_referral(&at, id.as_str().unwrap_or_default(), Some(self.index), self.found);
                    }
                    ("account", Wanted::Is(id)) => {
                        self.people.know_account(&at, id.as_str().unwrap_or_default(), self.found);
                    }
                    _ => {}
                }
            }
        }
    }
}
