//! People whose replies await review.

use serde::Serialize;

use super::{Error, Store};
use crate::core::domain::Timestamp;

/// A person whose reply awaits review: `suppress holds -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Held {
    /// The external id of the account that received the reply.
    pub account: String,
    pub phone: String,
    /// The text of the reply.
    pub text: String,
    pub held_at: Timestamp,
}

impl Store {
    /// Returns the replies that await review, oldest first.
    pub async fn holds(&self) -> Result<Vec<Held>, Error> {
        sqlx::query_as(
            "select coalesce(a.external_id, h.account_id::text) as account, h.phone, h.text, h.held_at
             from person_hold h left join account a on a.id = h.account_id order by h.held_at, account, h.phone",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read people on hold"))
    }
}
