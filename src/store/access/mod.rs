//! Access to the API: its tokens, and the connections of its readers.

mod readers;
mod request;
mod token;

pub(crate) use self::request::Answering;
pub use self::request::{Begun, Effect, KeyedRequest, Render};
pub use self::token::{Bearer, NewToken, Revoked, TokenRow};
