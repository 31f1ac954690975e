//! The work: enrolling, sending, receiving and moving runs on. Each room is one tick, which never sleeps and never loops;
//! the supervisor owns the loops.

mod addressees;
mod candidate;
mod confirm;
mod deliver;
mod enroll;
mod flight;
mod heard;
mod loaded;
mod reach;
mod receive;
mod send;
mod settled;
mod stopped;
mod supervisor;
mod upkeep;

pub use self::addressees::Addressees;
pub use self::confirm::confirm;
pub use self::deliver::{Told, deliver};
pub use self::enroll::enroll;
pub use self::flight::Flight;
pub use self::loaded::{Error as LoadError, Loaded};
pub use self::receive::{Received, receive};
pub use self::send::{BATCH, Sent, send};
pub use self::supervisor::{Roles, Supervisor};
pub use self::upkeep::{Kept, Seen, upkeep};
