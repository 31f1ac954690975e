//! The runs that need advancing at an instant: most of thousands wait for another run, or are over.

use std::collections::{BTreeSet, HashMap};

use super::run::Run;
use crate::core::domain::{CampaignId, Timestamp};
use crate::core::lifecycle::ordering::Order;

/// The runs of an account, by their next possible change.
#[derive(Debug)]
pub(super) struct Agenda {
    /// The active runs in the order in which they enroll, that of their campaigns.
    active: BTreeSet<usize>,
    /// The active runs in the order in which they send: by priority.
    writing: BTreeSet<(i32, usize)>,
    /// The instants at which unfinished runs may change by themselves.
    alarms: BTreeSet<(Timestamp, usize)>,
    /// The alarm of each run.
    alarm: Vec<Option<Timestamp>>,
    /// The runs to advance now, by their position.
    stale: BTreeSet<usize>,
    /// The runs in the order in which they are advanced, and the position of each run in it.
    turns: Vec<usize>,
    turn: Vec<usize>,
    places: HashMap<CampaignId, usize>,
}

impl Agenda {
    /// Creates an agenda with every run to be advanced.
    pub(super) fn new(runs: &[Run<'_>], order: &Order) -> Self {
        let mut turns: Vec<usize> = (0..runs.len()).collect();
        turns.sort_by_key(|run| (order.rank(runs[*run].id), runs[*run].spec.priority));
        let mut turn = vec![0; runs.len()];
        for (at, run) in turns.iter().enumerate() {
            turn[*run] = at;
        }
        Self {
            active: BTreeSet::new(),
            writing: BTreeSet::new(),
            alarms: BTreeSet::new(),
            alarm: vec![None; runs.len()],
            stale: (0..runs.len()).collect(),
            turns,
            turn,
            places: runs.iter().enumerate().map(|(run, it)| (it.id, run)).collect(),
        }
    }

    /// Returns the active runs that enroll, in their order.
    pub(super) fn active(&self) -> impl Iterator<Item = usize> + '_ {
        self.active.iter().copied()
    }

    /// Returns the active runs in the order in which they send.
    pub(super) fn writing(&self) -> impl Iterator<Item = usize> + '_ {
        self.writing.iter().map(|(_, run)| *run)
    }

    /// Returns when a run may next change by itself, after `now`.
    pub(super) fn next_alarm(&self, now: Timestamp) -> Option<Timestamp> {
        self.alarms.range((now, usize::MAX)..).next().map(|(at, _)| *at)
    }

    /// Marks a run to be advanced.
    pub(super) fn touch(&mut self, run: usize) {
        self.stale.insert(self.turn[run]);
    }

    /// Marks the runs of these campaigns to be advanced.
    pub(super) fn touch_all(&mut self, campaigns: impl Iterator<Item = CampaignId>) {
        for id in campaigns {
            if let Some(run) = self.places.get(&id).copied() {
                self.touch(run);
            }
        }
    }

    /// Marks the runs whose alarm has come.
    pub(super) fn ring(&mut self, now: Timestamp) {
        while let Some((at, run)) = self.alarms.first().copied().filter(|(at, _)| *at <= now) {
            self.alarms.remove(&(at, run));
            self.alarm[run] = None;
            self.touch(run);
        }
    }

    /// Takes the next marked run whose position is not before `from`; returns its position and the run.
    pub(super) fn next_stale(&mut self, from: usize) -> Option<(usize, usize)> {
        let turn = self.stale.range(from..).next().copied()?;
        self.stale.remove(&turn);
        Some((turn, self.turns[turn]))
    }

    pub(super) fn is_settled(&self) -> bool {
        self.stale.is_empty()
    }

    /// Records the result of advancing a run.
    pub(super) fn note(&mut self, run: usize, priority: i32, is_active: bool, alarm: Option<Timestamp>) {
        if is_active {
            self.active.insert(run);
            self.writing.insert((priority, run));
        } else {
            self.active.remove(&run);
            self.writing.remove(&(priority, run));
        }
        if let Some(old) = std::mem::replace(&mut self.alarm[run], alarm) {
            self.alarms.remove(&(old, run));
        }
        self.alarms.extend(alarm.map(|at| (at, run)));
    }
}
