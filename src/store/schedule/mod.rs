//! Scheduling: the instants at which loops find work, and the statements that bring these instants forward.
//!
//! A lane sends when its `wake_at` is due. A run is checked when its `check_at` is due, and enrolls when its
//! `enroll_at` is. A statement that changes a lane or a run for another reason sets these columns along with it, in its
//! own file.

pub(super) mod next_due;
pub(super) mod wake;
