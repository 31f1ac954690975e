//! Notifications for notifiers, and the outcome of one delivery attempt.

use super::detail::Detail;
use crate::core::domain::Timestamp;
use crate::core::manifest::desired::{Notifier, Topic};

/// A notification for one notifier. Equal events within the notifier's `foldFor` are folded into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    pub id: i64,
    /// An id that is unique over all databases and the same at every attempt.
    pub uid: String,
    pub notifier: String,
    pub topic: Topic,
    pub campaign: Option<String>,
    /// The external id of one of the accounts concerned.
    pub account: Option<String>,
    pub accounts: i64,
    /// The number of events.
    pub events: i64,
    /// The number of these events that were folded, because an equal notification was sent shortly before.
    pub folded: i64,
    pub actor: Option<String>,
    pub reason: Option<String>,
    pub detail: Detail,
    pub revision: Option<i32>,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    /// The number of attempts, this one included.
    pub attempts: i32,
    pub created_at: Timestamp,
    /// The notifier's current spec.
    pub spec: Notifier,
}

/// The outcome of one attempt to deliver a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    Done,
    /// The delivery is attempted again at `at`.
    Again {
        error: String,
        at: Timestamp,
    },
    GivenUp {
        error: String,
    },
}
