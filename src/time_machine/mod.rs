//! The time machine: the production modules on a virtual clock.
//!
//! A [`World`] has its own database, with the production reconciler, enroller and sender on it. Only the world moves
//! its clock, and its channel follows a [`Script`]. The world jumps from one due instant to the next and never sleeps.
//! It takes these instants from [`crate::store::NextDue`], which also tells the daemon how long to sleep. This module
//! implements no rule a second time.

mod chance;
pub mod compare;
mod notes;
pub mod page;
pub mod report;
mod script;
mod settings;
mod simulate;
mod tally;
pub mod test;
mod world;

pub use self::chance::{PAYS_WITHIN_HOURS, Rates, STOPS_WITHIN_HOURS};
pub use self::script::{Delivery, Fault, Reaction, Script};
pub use self::settings::Settings;
pub use self::simulate::{Error as SimulationError, Progress, simulate};
pub use self::world::{Error, World};
