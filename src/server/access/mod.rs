//! Access to the API: where it is served, under which names, to whom, and how often.

mod caller;
mod damping;
mod exposure;
mod gate;
mod headers;

pub(super) use self::caller::{Caller, Operator, Reader};
pub use self::exposure::Exposure;
pub(super) use self::gate::{Gate, Peer};
pub(super) use self::headers::protect;
