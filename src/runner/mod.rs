//! The work: enrolling, sending and moving runs on. Each room is one tick, which never sleeps and never loops;
//! the supervisor owns the loops.

mod enroll;
mod loaded;
mod send;
mod supervisor;

pub use self::enroll::enroll;
pub use self::loaded::Loaded;
pub use self::send::{BATCH, Sent, send};
pub use self::supervisor::{Roles, Supervisor};
