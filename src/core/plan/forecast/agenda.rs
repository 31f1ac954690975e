//! Which runs are worth a look at an instant: of thousands most wait for their turn, or are over.

use std::collections::{BTreeSet, HashMap};

use super::run::Run;
use crate::core::domain::{CampaignId, Timestamp};
use crate::core::lifecycle::ordering::Order;

/// The runs of an account, by what may happen to them next.
#[derive(Debug)]
pub(super) struct Agenda {
    /// Those that are active: they enroll in this order, that of their campaigns.
    active: BTreeSet<usize>,
    /// The same in the order in which they write: by priority.
    writing: BTreeSet<(i32, usize)>,
    /// When each that is not over may move by itself.
    alarms: BTreeSet<(Timestamp, usize)>,
    /// The alarm of each.
    alarm: Vec<Option<Timestamp>>,
    /// Those to look at now, by their turns.
    stale: BTreeSet<usize>,
    /// The runs in the order in which they are looked at, and where each of them is in it.
    turns: Vec<usize>,
    turn: Vec<usize>,
    places: HashMap<CampaignId, usize>,
}

impl Agenda {
    /// Everybody is to be looked at.
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

    /// The active runs that enroll, in their order.
    pub(super) fn active(&self) -> impl Iterator<Item = usize> + '_ {
        self.active.iter().copied()
    }

    /// The active runs in the order in which they write.
    pub(super) fn writing(&self) -> impl Iterator<Item = usize> + '_ {
        self.writing.iter().map(|(_, run)| *run)
    }

    /// When a run may next move by itself, after `now`.
    pub(super) fn next_alarm(&self, now: Timestamp) -> Option<Timestamp> {
        self.alarms.range((now, usize::MAX)..).next().map(|(at, _)| *at)
    }

    /// Has a run looked at.
    pub(super) fn touch(&mut self, run: usize) {
        self.stale.insert(self.turn[run]);
    }

    /// Has the runs of these campaigns looked at.
    pub(super) fn touch_all(&mut self, campaigns: impl Iterator<Item = CampaignId>) {
        for id in campaigns {
            if let Some(run) = self.places.get(&id).copied() {
                self.touch(run);
            }
        }
    }

    /// Has those looked at whose time has come.
    pub(super) fn ring(&mut self, now: Timestamp) {
        while let Some((at, run)) = self.alarms.first().copied().filter(|(at, _)| *at <= now) {
            self.alarms.remove(&(at, run));
            self.alarm[run] = None;
            self.touch(run);
        }
    }

    /// Takes the next that is to be looked at whose turn is not before `from`; gives its turn, and the run.
    pub(super) fn next_stale(&mut self, from: usize) -> Option<(usize, usize)> {
        let turn = self.stale.range(from..).next().copied()?;
        self.stale.remove(&turn);
        Some((turn, self.turns[turn]))
    }

    pub(super) fn is_settled(&self) -> bool {
        self.stale.is_empty()
    }

    /// Notes what became of a run that was looked at.
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
