//! The limits of one enrollment pass over a run, and the time of the next pass.

use chrono::TimeDelta;

use crate::core::domain::Timestamp;
use crate::core::manifest::desired::{Campaign, Enrollment};

/// The longest time between two looks at the runs of an account, however quiet it is.
pub const BACKSTOP: TimeDelta = TimeDelta::hours(24);

/// The people that a run has enrolled so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Passes that were not cut short.
    pub passes: u32,
    /// The people ever enrolled; counted only where `limits.targets` asks for it.
    pub ever: u64,
    /// The people enrolled on this local day of the account.
    pub today: u32,
}

/// The result of an enrollment pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// The daily limit was full, or enrollment is off, so more people may match than were enrolled.
    pub cut_short: bool,
    /// The people found, as the lifecycle counts them. A pass that was cut short does not prove that nobody is left.
    pub found: u64,
    pub again: Again,
}

/// The time of the next pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    Never,
    AtOnce,
    /// The pass is due when the account's local day ends.
    Tomorrow,
    /// The pass is due when another person may match.
    Later,
}

/// The instants at which another person may match, if nothing else happens.
#[derive(Debug, Clone, Copy)]
pub struct Changes {
    pub now: Timestamp,
    /// When the account's local day ends.
    pub midnight: Timestamp,
    /// When the first person who registered too recently is old enough.
    pub ripe_at: Option<Timestamp>,
}

/// Returns when the next pass is due after one that ended with `again`.
pub fn next_pass(spec: &Campaign, again: Again, changes: Changes) -> Option<Timestamp> {
    match again {
        Again::Never => None,
        Again::AtOnce => Some(changes.now),
        Again::Tomorrow => Some(changes.midnight),
        Again::Later => Some(next_match(spec, changes)),
    }
}

/// Returns when another person may match.
pub fn next_match(spec: &Campaign, Changes { now, midnight, ripe_at }: Changes) -> Timestamp {
    let birthdays = spec.filter.has_ages().then_some(midnight);
    [ripe_at, birthdays].into_iter().flatten().fold(now + BACKSTOP, Timestamp::min)
}

/// Returns how many people a run may still enroll now.
pub fn room(spec: &Campaign, taken: Taken) -> u64 {
    let left = |limit: Option<u32>, taken: u64| limit.map_or(u64::MAX, |limit| u64::from(limit).saturating_sub(taken));
    if spec.enrollment == Enrollment::Once && taken.passes > 0 {
        return 0;
    }
    left(spec.limits.targets, taken.ever).min(left(spec.limits.daily_enrollments, u64::from(taken.today)))
}

/// Returns the result of a pass that enrolled `found` people; `taken` is the count before the pass.
///
/// If the account does not enroll, the pass proves nothing, and a change of that setting makes the next one due.
pub fn after_pass(spec: &Campaign, enrolls: bool, taken: Taken, found: u64) -> Pass {
    if !enrolls {
        return Pass { cut_short: true, found: found.max(1), again: Again::Never };
    }
    let reached = |limit: Option<u32>, count: u64| limit.is_some_and(|limit| count >= u64::from(limit));
    let day_full = reached(spec.limits.daily_enrollments, u64::from(taken.today) + found);
    let run_full = reached(spec.limits.targets, taken.ever + found);
    // A run that has reached `limits.targets` does not wait for another day.
    let cut_short = day_full && !run_full && found >= room(spec, taken);
    let again = match spec.enrollment {
        _ if run_full => Again::Never,
        Enrollment::Once if !cut_short => Again::Never,
        _ if day_full => Again::Tomorrow,
        // `until-drained` ends with a pass that finds nobody, so another pass follows at once.
        Enrollment::UntilDrained if found > 0 => Again::AtOnce,
        Enrollment::UntilDrained | Enrollment::Once | Enrollment::Continuous => Again::Later,
    };
    Pass { cut_short, found: if cut_short { found.max(1) } else { found }, again }
}
