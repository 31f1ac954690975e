//! The decision "may this message go now, and if not, when?": gate, selection, pacing, cadence and account health.

pub mod account_health;
pub mod cadence;
pub mod gate;
pub mod lane;
mod outgoing_message;
pub mod pacing;
pub mod preview;
pub mod program;

pub use self::outgoing_message::OutgoingMessage;
