//! The daemon's work: reconciling, enrolling, sending, receiving and moving runs on. A tick does one round of one kind
//! of work and returns; the supervisor owns the loops.

mod adaptive_batch;
mod blocking;
mod confirmations;
mod dispatcher;
mod enroll;
mod failure;
mod last_pass;
mod leader_election;
mod loaded_program;
mod maintenance;
mod notify;
mod provider_updates;
mod pulse;
mod receive;
pub mod reconcile;
mod sandbox;
mod send;
mod send_resources;
mod stopped_runs;
mod supervisor;

pub use self::confirmations::confirm;
pub use self::dispatcher::Dispatcher;
pub use self::enroll::enroll;
pub use self::loaded_program::Loaded;
pub use self::maintenance::{Chore, Kept, Watermark, maintenance};
pub use self::notify::{Reported, deliver};
pub use self::pulse::Pulse;
pub use self::receive::{Listener, Received, receive};
pub use self::sandbox::Sandbox;
pub use self::send::{BATCH, Sent, send};
pub use self::send_resources::SenderDirectory;
pub use self::supervisor::{Roles, Supervisor};
