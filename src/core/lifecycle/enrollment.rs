//! What an enrollment pass over one run may take, and when the next one is due.

use chrono::TimeDelta;

use crate::core::manifest::desired::{Campaign, Enrollment};

/// However quiet an account is, its runs are looked at this often.
pub const BACKSTOP: TimeDelta = TimeDelta::hours(24);

/// Whom a run has taken so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Passes that were not cut short.
    pub passes: u32,
    /// People ever; counted only where `limits.targets` asks for it.
    pub ever: u64,
    /// People on this local day of the account.
    pub today: u32,
}

/// What follows from a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// The daily limit left no room for everybody, or enrollment is off: the pass does not say that nobody is left.
    pub cut_short: bool,
    pub again: Again,
}

/// When the next pass is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    Never,
    AtOnce,
    /// When the account's local day ends.
    Tomorrow,
    /// When somebody else may match.
    Later,
}

/// How many people a run may still take now.
pub fn room(spec: &Campaign, taken: Taken) -> u64 {
    let left = |limit: Option<u32>, taken: u64| limit.map_or(u64::MAX, |limit| u64::from(limit).saturating_sub(taken));
    if spec.enrollment == Enrollment::Once && taken.passes > 0 {
        return 0;
    }
    left(spec.limits.targets, taken.ever).min(left(spec.limits.daily_enrollments, u64::from(taken.today)))
}

/// What follows from a pass that took `found` people, `taken` before it. Where the account does not enroll it says
/// nothing, and the next is due when that changes.
pub fn after_pass(spec: &Campaign, enrolls: bool, taken: Taken, found: u64) -> Pass {
    if !enrolls {
        return Pass { cut_short: true, again: Again::Never };
    }
    let reached = |limit: Option<u32>, count: u64| limit.is_some_and(|limit| count >= u64::from(limit));
    let day_full = reached(spec.limits.daily_enrollments, u64::from(taken.today) + found);
    let run_full = reached(spec.limits.targets, taken.ever + found);
    // A run that has everybody it may take waits for no other day.
    let cut_short = day_full && !run_full && found >= room(spec, taken);
    let again = match spec.enrollment {
        _ if run_full => Again::Never,
        Enrollment::Once if !cut_short => Again::Never,
        _ if day_full => Again::Tomorrow,
        // Drained means that a pass found nobody: look once more, at once.
        Enrollment::UntilDrained if found > 0 => Again::AtOnce,
        Enrollment::UntilDrained | Enrollment::Once | Enrollment::Continuous => Again::Later,
    };
    Pass { cut_short, again }
}
