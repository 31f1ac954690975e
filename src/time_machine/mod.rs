//! The time machine: the production rooms on a clock that jumps.
//!
//! A [`World`] is a database of its own with the production reconciler, enroller and sender on it, an instant that
//! only the world moves, and a channel that does what a [`Script`] says. It goes from one due instant to the next,
//! by the same [`crate::store::NextDue`] that tells the daemon how long to sleep, and never sleeps itself. There is
//! no second implementation of any rule in here.

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
