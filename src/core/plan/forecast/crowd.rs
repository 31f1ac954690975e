//! The people of an account, grouped by their runs and by what they wait for.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use crate::core::domain::{Consent, NaiveDate, Timestamp, Zone};

/// People in the same situation. They stay together until there is room for only some of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The referral ids of its members, in the order in which they go.
    pub referrals: Vec<i64>,
    /// The newest registration in the group. Among waiting groups, the newer is enrolled first.
    pub registered_at: Timestamp,
    /// Their own zone, for campaigns that go by it; `None` if it is not known.
    pub zone: Option<Arc<Zone>>,
    pub paid: bool,
    pub consent: Option<Consent>,
    pub suppressed: bool,
    /// The local day of their last message, in any run.
    pub last_written_on: Option<NaiveDate>,
    /// Their place in each run.
    pub places: Vec<Place>,
}

impl Group {
    pub fn people(&self) -> u32 {
        u32::try_from(self.referrals.len()).unwrap_or(u32::MAX)
    }

    /// Returns the member who goes first.
    fn first(&self) -> i64 {
        self.referrals.first().copied().unwrap_or_default()
    }
}

/// The place of people in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// They will never be in the run.
    Outside,
    /// They will be enrolled once their registration is old enough.
    Waiting {
        from: Timestamp,
    },
    Active {
        day: u16,
        due_at: Timestamp,
    },
    /// They are in the run, and held until an event concerns them.
    Stuck,
    Over,
}

/// The position of a group in a run: first the longest overdue, then the id of its first member, then the group.
pub(super) type Turn = (Timestamp, i64, usize);

/// All groups, and for each run the waiting and the due groups.
#[derive(Debug)]
pub(super) struct Crowd {
    groups: Vec<Ranked>,
    runs: Vec<Members>,
}

#[derive(Debug)]
struct Ranked {
    group: Group,
    /// The number of people who registered later than the group's newest member.
    rank: u64,
}

/// The members of one run.
#[derive(Debug, Default)]
struct Members {
    waiting: BTreeSet<(u64, usize)>,
    due: BTreeSet<Turn>,
    active: u64,
}

impl Crowd {
    pub(super) fn new(mut groups: Vec<Group>, runs: usize) -> Self {
        groups.sort_by_key(|group| std::cmp::Reverse((group.registered_at, group.first())));
        let mut crowd = Self { groups: Vec::new(), runs: (0..runs).map(|_| Members::default()).collect() };
        let mut rank = 0;
        for group in groups {
            let people = u64::from(group.people());
            crowd.add(group, rank);
            rank += people;
        }
        crowd
    }

    pub(super) fn group(&self, id: usize) -> &Group {
        &self.groups[id].group
    }

    pub(super) fn place(&self, run: usize, id: usize) -> Place {
        self.groups[id].group.places[run]
    }

    /// Returns how many people are in the run.
    pub(super) fn active(&self, run: usize) -> u64 {
        self.runs[run].active
    }

    /// Returns the first due group of the run.
    pub(super) fn first(&self, run: usize) -> Option<Turn> {
        self.runs[run].due.first().copied()
    }

    /// Returns when the next group of the run is due after `now`.
    pub(super) fn next_due(&self, run: usize, now: Timestamp) -> Option<Timestamp> {
        self.runs[run].due.range((now, i64::MAX, usize::MAX)..).next().map(|(due_at, ..)| *due_at)
    }

    /// Returns the groups that the run has not enrolled yet, the newest first.
    pub(super) fn waiting(&self, run: usize) -> impl Iterator<Item = usize> + '_ {
        self.runs[run].waiting.iter().map(|(_, id)| *id)
    }

    /// Returns true if anybody in the run is held for good.
    pub(super) fn is_stuck(&self, run: usize) -> bool {
        let stuck = |ranked: &Ranked| ranked.group.people() > 0 && ranked.group.places[run] == Place::Stuck;
        self.groups.iter().any(stuck)
    }

    /// Returns true if the group is active in another run.
    pub(super) fn is_elsewhere(&self, run: usize, id: usize) -> bool {
        let places = self.groups[id].group.places.iter().enumerate();
        places.filter(|(other, _)| *other != run).any(|(_, place)| is_active(*place))
    }

    /// Splits the first `people` off the group; returns the index of the new group.
    pub(super) fn part(&mut self, id: usize, people: u32) -> usize {
        if people >= self.groups[id].group.people() {
            return id;
        }
        let count = usize::try_from(people).unwrap_or(usize::MAX);
        let (part, rank) = self.change(id, |ranked| {
            let rest = ranked.group.referrals.split_off(count);
            let part =
                Group { referrals: std::mem::replace(&mut ranked.group.referrals, rest), ..ranked.group.clone() };
            let rank = ranked.rank;
            ranked.rank += u64::from(people);
            (part, rank)
        });
        self.add(part, rank)
    }

    /// Orders the members by id, as people who are due at one instant go.
    pub(super) fn order_by_id(&mut self, id: usize) {
        if !self.groups[id].group.referrals.is_sorted() {
            self.change(id, |ranked| ranked.group.referrals.sort_unstable());
        }
    }

    /// Returns how many of the first group in the run go before the first member of another group that is due at the
    /// same instant.
    pub(super) fn before_next(&self, run: usize, turn: Turn) -> u32 {
        let (due_at, _, id) = turn;
        let mut after = self.runs[run].due.range((Bound::Excluded(turn), Bound::Unbounded));
        let members = &self.groups[id].group.referrals;
        let next = after.next().filter(|(other, ..)| *other == due_at).map_or(i64::MAX, |(_, first, _)| *first);
        let before = members.iter().take_while(|member| **member < next).count().max(1);
        u32::try_from(before).unwrap_or(u32::MAX)
    }

    /// Changes a group and its positions in all runs.
    fn change<T>(&mut self, id: usize, change: impl FnOnce(&mut Ranked) -> T) -> T {
        for run in 0..self.runs.len() {
            self.leave(run, id);
        }
        let changed = change(&mut self.groups[id]);
        for run in 0..self.runs.len() {
            self.enter(run, id);
        }
        changed
    }

    pub(super) fn write(&mut self, id: usize, on: NaiveDate) {
        self.groups[id].group.last_written_on = Some(on);
    }

    /// Moves a whole group to another place in a run.
    pub(super) fn place_at(&mut self, run: usize, id: usize, place: Place) {
        self.leave(run, id);
        self.groups[id].group.places[run] = place;
        self.enter(run, id);
    }

    /// Makes everybody leave the run, and ends the wait of those who are not yet in it.
    pub(super) fn close(&mut self, run: usize) {
        for id in 0..self.groups.len() {
            if !matches!(self.place(run, id), Place::Outside | Place::Over) {
                self.place_at(run, id, Place::Over);
            }
        }
    }

    fn add(&mut self, group: Group, rank: u64) -> usize {
        let id = self.groups.len();
        self.groups.push(Ranked { group, rank });
        for run in 0..self.runs.len() {
            self.enter(run, id);
        }
        id
    }

    fn enter(&mut self, run: usize, id: usize) {
        let Ranked { group, rank } = &self.groups[id];
        let members = &mut self.runs[run];
        match group.places[run] {
            Place::Waiting { .. } => drop(members.waiting.insert((*rank, id))),
            Place::Active { due_at, .. } => drop(members.due.insert((due_at, group.first(), id))),
            Place::Outside | Place::Stuck | Place::Over => {}
        }
        if is_active(group.places[run]) {
            members.active += u64::from(group.people());
        }
    }

    fn leave(&mut self, run: usize, id: usize) {
        let Ranked { group, rank } = &self.groups[id];
        let members = &mut self.runs[run];
        match group.places[run] {
            Place::Waiting { .. } => drop(members.waiting.remove(&(*rank, id))),
            Place::Active { due_at, .. } => drop(members.due.remove(&(due_at, group.first(), id))),
            Place::Outside | Place::Stuck | Place::Over => {}
        }
        if is_active(group.places[run]) {
            members.active -= u64::from(group.people());
        }
    }
}

const fn is_active(place: Place) -> bool {
    matches!(place, Place::Active { .. } | Place::Stuck)
}
