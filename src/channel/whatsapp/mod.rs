//! WhatsApp by the Cloud API of Meta.

mod table;

pub use self::table::reaction;
