//! The report of an order, for people and for programs.

use super::order::Order;
use crate::cli::table::{counted, one_line, people, time};
use crate::core::domain::Timestamp;
use crate::core::lifecycle::overrides::Action;
use crate::core::lifecycle::run::{Phase, Reason};
use crate::store::{Group, OrderEffect, Outcome};

/// An order that was given or cleared.
pub(super) struct OrderReport<'a> {
    pub(super) action: Action,
    pub(super) order: &'a Order,
    pub(super) actor: &'a str,
    pub(super) until: Option<Timestamp>,
    pub(super) outcome: &'a Outcome,
}

impl OrderReport<'_> {
    pub(super) fn effect(&self) -> OrderEffect {
        let Self { action, order, actor, until, outcome } = self;
        OrderEffect {
            cleared: order.clear,
            reason: order.reason.clone(),
            replaced: outcome.before.filter(|_| !order.clear),
            ..OrderEffect::of(*action, (order.campaign.clone(), order.account.clone()), actor, *until, outcome)
        }
    }

    /// Describes the order, the runs it concerns and its effect on them.
    pub(super) fn text(&self) -> String {
        let (what, concerned) = (self.order.what(), self.concerned());
        if self.order.clear {
            let text = format!("Cleared the order to {} {what}: {concerned}.", self.action);
            return text + &groups(self.outcome.runs.iter());
        }
        let mut text = format!("{} {what}: {concerned}. {}", self.done(), self.meaning());
        if let Some(before) = self.outcome.before.filter(|before| *before != self.action) {
            text += &format!(" It takes the place of the order to {before}.");
        }
        let others: Vec<&Group> = self.outcome.runs.iter().filter(|group| !self.is_obeyed(group)).collect();
        text += &groups(others.iter().copied());
        let unwell = [Reason::ChannelUnhealthy, Reason::FailureRate, Reason::OptOutRate].map(Reason::as_str);
        if self.action != Action::Pause && others.iter().any(|group| unwell.contains(&group.reason.as_str())) {
            text += "\nWhat stops an account or a channel is lifted by `resume --account ID`, or `--channel NAME`.";
        }
        if !self.outcome.lifted.is_empty() {
            text += "\nWhat a provider stopped of it is tried again:";
            text.extend(self.outcome.lifted.iter().map(|why| format!("\n  {}", one_line(&why.to_string()))));
        }
        text
    }

    fn done(&self) -> &'static str {
        match self.action {
            Action::Pause => "Paused",
            Action::Resume => "Resumed",
            Action::Start => "Started",
            Action::Cancel => "Cancelled",
        }
    }

    fn meaning(&self) -> String {
        let over = match self.until {
            Some(until) => format!("until {} UTC", time(until)),
            None => format!("until `relancectl {} {} --clear`", self.action, self.order.typed()),
        };
        match self.action {
            Action::Pause => format!("Nobody is enrolled or written to {over}; everybody stays where they are."),
            Action::Resume => {
                format!("It goes on where it stood, within pace and daily caps, whatever its manifest says {over}.")
            }
            Action::Start => {
                format!("It runs from now on, within pace and daily caps, whatever its manifest says {over}.")
            }
            Action::Cancel => "Everybody in it has left. That cannot be undone.".to_owned(),
        }
    }

    fn concerned(&self) -> String {
        let Outcome { runs, exited, .. } = self.outcome;
        let count: i64 = runs.iter().map(|group| group.runs).sum();
        let n = exited + runs.iter().map(|group| group.people).sum::<i64>();
        match count {
            0 => "no run of it is under way, so it is for those to come".to_owned(),
            _ => format!("{}, {}", counted(count, "run"), people(n)),
        }
    }

    fn is_obeyed(&self, group: &Group) -> bool {
        match self.action {
            Action::Pause => group.phase == Phase::Paused && group.reason == Reason::Operator.as_str(),
            Action::Resume | Action::Start => group.phase == Phase::Active,
            Action::Cancel => group.phase == Phase::Cancelled,
        }
    }
}

/// Lists the phases of the runs, one line each.
pub(super) fn groups<'a>(groups: impl Iterator<Item = &'a Group>) -> String {
    let line = |group: &Group| {
        let verb = if group.runs == 1 { "is" } else { "are" };
        let (runs, message) = (counted(group.runs, "run"), one_line(&group.detail.to_string()));
        format!("\n  {runs} {verb} {} ({}): {message}", group.phase, group.reason)
    };
    groups.map(line).collect()
}
