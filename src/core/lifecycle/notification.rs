//! Notifications: what a notifier is told, and the outcome of one attempt to tell it.

use crate::core::domain::Timestamp;
use crate::core::manifest::desired::{Notifier, Topic};

/// One notification for one notifier; equal events within the notifier's `foldFor` are folded into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    pub id: i64,
    /// Unique over all databases, and the same at every attempt.
    pub uid: String,
    pub notifier: String,
    pub topic: Topic,
    pub campaign: Option<String>,
    /// External id of one of the accounts concerned.
    pub account: Option<String>,
    pub accounts: i64,
    /// How often it happened.
    pub events: i64,
    /// How many of these events were folded, because the same had just been told.
    pub folded: i64,
    pub actor: Option<String>,
    pub reason: Option<String>,
    pub sentence: String,
    pub revision: Option<i32>,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    /// Attempts, this one included.
    pub attempts: i32,
    pub created_at: Timestamp,
    /// The notifier as it is now.
    pub spec: Notifier,
}

/// The outcome of one attempt to deliver a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    Done,
    /// It is tried again at `at`.
    Again {
        error: String,
        at: Timestamp,
    },
    GivenUp {
        error: String,
    },
}
