//! Who wrote lately, as webhooks told.

use std::collections::HashSet;

use async_trait::async_trait;

use super::Conversations;
use crate::domain::{MessageKey, Timestamp};
use crate::store::{Claimed, Store};

#[async_trait]
impl Conversations for Store {
    async fn open(&self, messages: &[Claimed], now: Timestamp) -> Result<HashSet<MessageKey>, String> {
        let people: Vec<_> = messages.iter().map(|message| (message.key.target.account, &message.phone)).collect();
        let open = self.open_windows(&people, now).await.map_err(|error| error.to_string())?;
        Ok(messages.iter().zip(open).filter(|(_, open)| *open).map(|(message, _)| message.key).collect())
    }
}
