//! STOPs among inbound messages: they are in force before anything else is done about a batch.

use super::incoming::InboundMessage;
use super::sender;
use crate::core::domain::Timestamp;
use crate::store::inbound::handset;
use crate::store::inbound::pending_stop::StopRow;
use crate::store::inbound::reply::BY_REPLY;
use crate::store::{Error, Senders, Store};

impl Store {
    /// Puts the STOPs among `all` in force, for every phone of the handsets, without waiting for any account. A STOP whose
    /// sender is unknown or uncertain waits for [`Store::hear`], which has the other effects of all messages.
    pub async fn stop_at_once(&self, all: &[InboundMessage], senders: &Senders, now: Timestamp) -> Result<(), Error> {
        let stops: Vec<InboundMessage> = all.iter().filter(|one| one.is_stop()).cloned().collect();
        if stops.is_empty() {
            return Ok(());
        }
        let mut db = self.pool.acquire().await.map_err(Error::during("look for the senders of STOPs"))?;
        let (found, _) = sender::find(&mut db, &stops, senders).await?;
        let mut said: Vec<(usize, &str)> = Vec::new();
        for (stop, who) in found.iter().enumerate() {
            said.extend(who.iter().flat_map(sender::Who::phones).map(|phone| (stop, phone.as_str())));
        }
        let others = handset::others(&mut db, &said.iter().map(|(_, phone)| *phone).collect::<Vec<_>>()).await?;
        drop(db);
        let row = |stop: usize, phone| {
            let InboundMessage { id, text, at, .. } = &stops[stop];
            StopRow { message_id: id, phone, at: Some((*at).min(now)), said: Some(text) }
        };
        let whole = said.iter().flat_map(|(stop, phone)| {
            let others = others.get(*phone).into_iter().flatten().map(String::as_str);
            [*phone].into_iter().chain(others).map(|phone| row(*stop, phone))
        });
        self.stop_first(&whole.collect::<Vec<_>>(), BY_REPLY, now).await
    }
}
