//! "May this message go now, and if not, when?" The gate, selection, pacing, cadence and account health.

pub mod account_health;
pub mod cadence;
pub mod gate;
pub mod lane;
pub mod pacing;
pub mod preview;
pub mod program;
