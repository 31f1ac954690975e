//! A comparison of two simulations of the same people: the effects of an edit of the files.

use std::collections::BTreeMap;

use serde::Serialize;

use super::report::{Campaign, FORMAT, Report, Run};
use crate::core::domain::NaiveDate;
use crate::core::lifecycle::run::Phase;

/// The output of `simulate --compare -o json`. `before` is the tree that `--compare` names, `after` the current tree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    pub format: u32,
    pub before: Side,
    pub after: Side,
    pub difference: Difference,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// The user's name for this side.
    pub name: String,
    pub report: Report,
}

/// The values that differ between the two sides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub totals: Vec<Change>,
    pub campaigns: Vec<CampaignChange>,
    /// Runs that finish on different days, or on one side only.
    pub runs: Vec<RunChange>,
    /// The date of the first entry of `days`.
    pub first_day: Option<NaiveDate>,
    pub days: Vec<DayChange>,
}

impl Difference {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A count on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The name of a field of [`super::report::Totals`], or `exited` for the sum over all exit reasons.
    pub what: &'static str,
    pub before: u64,
    pub after: u64,
}

/// A campaign on both sides; a side without it is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CampaignChange {
    pub name: String,
    pub before: Option<CampaignSide>,
    pub after: Option<CampaignSide>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CampaignSide {
    pub enrolled: u64,
    pub sent: u64,
    pub completed: u64,
    pub exited: u64,
    pub active: u64,
    pub first_sent_on: Option<NaiveDate>,
    pub last_sent_on: Option<NaiveDate>,
    /// The UTC date on which the last run finished; null while a run is unfinished.
    pub finished_on: Option<NaiveDate>,
}

/// A run on both sides; a side without it is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunChange {
    pub campaign: String,
    /// The account's external id.
    pub account: String,
    pub before: Option<RunSide>,
    pub after: Option<RunSide>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RunSide {
    pub phase: Phase,
    /// The UTC date.
    pub finished_on: Option<NaiveDate>,
    pub last_sent_on: Option<NaiveDate>,
}

/// The messages of one day on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DayChange {
    pub date: NaiveDate,
    pub before: u64,
    pub after: u64,
}

/// Compares two reports on the same facts, days and seed.
pub fn compare(before: Side, after: Side) -> Comparison {
    let (b, a) = (&before.report, &after.report);
    let days = days(b, a);
    let difference = Difference {
        totals: totals(b, a),
        campaigns: campaigns(b, a),
        runs: runs(b, a),
        first_day: days.first().map(|day| day.date),
        days,
    };
    Comparison { format: FORMAT, before, after, difference }
}

fn totals(before: &Report, after: &Report) -> Vec<Change> {
    let counts = |report: &Report| {
        let totals = &report.totals;
        let figures = &totals.figures;
        [
            ("sent", figures.sent),
            ("failed", figures.failed),
            ("uncertain", figures.uncertain),
            ("enrolled", figures.enrolled),
            ("reached", totals.reached),
            ("unreached", totals.unreached),
            ("completed", figures.completed),
            ("exited", figures.exited.values().sum()),
            ("active", figures.active),
            ("paid", totals.paid),
            ("stopped", totals.stopped),
        ]
    };
    let both = counts(before).into_iter().zip(counts(after));
    let change = |((what, before), (_, after))| Change { what, before, after };
    both.map(change).filter(|change| change.before != change.after).collect()
}

/// Joins two maps by key and returns the entries that differ.
fn differing<K: Ord + Clone, V: PartialEq>(
    before: BTreeMap<K, V>,
    mut after: BTreeMap<K, V>,
) -> impl Iterator<Item = (K, Option<V>, Option<V>)> {
    let mut all: BTreeMap<K, (Option<V>, Option<V>)> = BTreeMap::new();
    for (key, value) in before {
        let other = after.remove(&key);
        all.insert(key, (Some(value), other));
    }
    all.extend(after.into_iter().map(|(key, value)| (key, (None, Some(value)))));
    all.into_iter().filter(|(_, (before, after))| before != after).map(|(key, (before, after))| (key, before, after))
}

fn campaigns(before: &Report, after: &Report) -> Vec<CampaignChange> {
    let side = |campaign: &Campaign| CampaignSide {
        enrolled: campaign.figures.enrolled,
        sent: campaign.figures.sent,
        completed: campaign.figures.completed,
        exited: campaign.figures.exited.values().sum(),
        active: campaign.figures.active,
        first_sent_on: campaign.first_sent_on,
        last_sent_on: campaign.last_sent_on,
        finished_on: campaign.finished_at.map(|at| at.date_naive()),
    };
    let sides = |report: &Report| {
        report.campaigns.iter().map(|campaign| (campaign.name.clone(), side(campaign))).collect::<BTreeMap<_, _>>()
    };
    differing(sides(before), sides(after)).map(|(name, before, after)| CampaignChange { name, before, after }).collect()
}

fn runs(before: &Report, after: &Report) -> Vec<RunChange> {
    let sides = |report: &Report| {
        let side = |run: &Run| RunSide {
            phase: run.phase,
            finished_on: run.finished_at.map(|at| at.date_naive()),
            last_sent_on: run.last_sent_on,
        };
        let key = |run: &Run| (run.campaign.clone(), run.account.clone());
        report.runs.iter().map(|run| (key(run), side(run))).collect::<BTreeMap<_, _>>()
    };
    differing(sides(before), sides(after))
        .filter(|(_, before, after)| {
            let end = |side: &Option<RunSide>| side.map(|side| (side.finished_on, side.phase.is_final()));
            end(before) != end(after)
        })
        .map(|((campaign, account), before, after)| RunChange { campaign, account, before, after })
        .collect()
}

fn days(before: &Report, after: &Report) -> Vec<DayChange> {
    let sent = |report: &Report| report.days.iter().map(|day| (day.date, day.sent)).collect::<BTreeMap<_, _>>();
    let change = |(date, before, after): (NaiveDate, Option<u64>, Option<u64>)| DayChange {
        date,
        before: before.unwrap_or_default(),
        after: after.unwrap_or_default(),
    };
    differing(sent(before), sent(after)).map(change).collect()
}
