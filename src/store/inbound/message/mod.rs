//! Inbound messages: identifies the sender and the account, and acts on the request. Repeated messages are ignored,
//! whatever their source.
//!
//! STOPs come first of all, without waiting: see [`pending_stop`]. The other effects of the batch follow in one
//! transaction.
//!
//! Locks: suppressions first, exclusive if the batch changes them and shared otherwise; then inbound messages and
//! conversations, each in key order; then the locks of replies; last the provider names of people.

mod at_once;
mod doubt;
pub(in crate::store) mod incoming;
mod later;
mod sender;

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use self::incoming::{InboundMessage, Via};
use self::sender::Who;
use super::confirmation::OptedOut;
use super::provider_message::learn_people;
use super::reply::{Heard, ReadReply, act_on};
use super::{confirmation, handset, pending_stop};
use crate::core::consent::Reply;
use crate::core::domain::{AccountId, Phone, Timestamp};
use crate::store::lock::{lock_suppressions, share_suppressions};
use crate::store::{Error, Inbound, ReplyEffects, Senders, Store};

/// The result of recording inbound messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InboundResult {
    /// The changes made by replies.
    pub replies: ReplyEffects,
    /// The number of messages recorded for the first time.
    pub new: u64,
    /// The ids of relevant messages whose sender is still unknown: they were not recorded, and may be resolved
    /// later.
    pub unresolved: Vec<String>,
}

/// An inbound message whose sender has been looked up.
#[derive(Debug)]
struct ReadMessage<'a> {
    incoming: &'a InboundMessage,
    /// Capped at the current time.
    at: Timestamp,
    who: Who,
    word: Reply,
}

impl Store {
    /// Acts on new inbound messages, in one transaction: records that people wrote, and does what they ask for. The
    /// message that a person wrote last decides in the end, in whatever order the messages arrive. Messages of erased
    /// people are ignored.
    pub async fn hear(
        &self,
        all: &[InboundMessage],
        senders: &Senders,
        now: Timestamp,
    ) -> Result<InboundResult, Error> {
        if all.is_empty() {
            return Ok(InboundResult::default());
        }
        self.stop_at_once(all, senders, now).await?;
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to save inbound messages"))?;
        if all.iter().any(|incoming| incoming.word() != Reply::Other) {
            // Under this lock every earlier reply is committed and visible.
            lock_suppressions(&mut tx).await?;
        } else {
            share_suppressions(&mut tx).await?;
        }
        let (who, learnt) = sender::find(&mut tx, all, senders).await?;
        let message = |(incoming, who): (_, Option<Who>)| {
            let incoming: &InboundMessage = incoming;
            Some(ReadMessage { incoming, at: incoming.at.min(now), who: who?, word: incoming.word() })
        };
        let mut message: Vec<ReadMessage<'_>> = all.iter().zip(who).filter_map(message).collect();
        let unresolved = message
            .iter()
            .filter(|message| message.is_unresolved())
            .map(|message| message.incoming.id.clone())
            .collect();
        message.retain(|message| !message.is_unresolved());
        let new = remember(&mut tx, &message, now).await?;
        let mut first = BTreeSet::new();
        message.retain(|message| new.contains(&message.incoming.id) && first.insert(message.incoming.id.as_str()));
        converse(&mut tx, &message).await?;
        let replies = reply(&mut tx, message, now).await?;
        settle_pending(&mut tx, all).await?;
        let named = learn_people(&mut tx, learnt).await?;
        tx.commit().await.map_err(Error::during("commit inbound messages"))?;
        self.suppress_known_handsets(&named, now).await?;
        Ok(InboundResult { replies, new: new.len() as u64, unresolved })
    }
}

/// Records the messages, and returns the ids of those that are new.
async fn remember(
    tx: &mut PgConnection,
    message: &[ReadMessage<'_>],
    now: Timestamp,
) -> Result<BTreeSet<String>, Error> {
    let word = |message: &ReadMessage<'_>| match message.word {
        Reply::Stop => Some("stop"),
        Reply::Start => Some("start"),
        Reply::Unclear | Reply::Other => None,
    };
    let ids: Vec<String> = sqlx::query_scalar(
        "insert into inbound (message_id, phone, at, word, received_at)
         select id, phone, at, word, $5 from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[])
           as u (id, phone, at, word)
         order by id on conflict (message_id) do nothing returning message_id",
    )
    .bind(message.iter().map(|message| message.incoming.id.as_str()).collect::<Vec<_>>())
    .bind(message.iter().map(|message| message.who.phone.as_ref().map(Phone::as_str)).collect::<Vec<_>>())
    .bind(message.iter().map(|message| message.at).collect::<Vec<_>>())
    .bind(message.iter().map(word).collect::<Vec<_>>())
    .bind(now)
    .fetch_all(tx)
    .await
    .map_err(Error::during("save inbound messages"))?;
    Ok(ids.into_iter().collect())
}

/// Records the time of the last message from each person to each account.
async fn converse(tx: &mut PgConnection, message: &[ReadMessage<'_>]) -> Result<(), Error> {
    let mut last: BTreeMap<(i32, &str), Timestamp> = BTreeMap::new();
    for message in message.iter().filter(|message| message.incoming.via == Via::Message) {
        for (account, phone) in
            message.who.account.iter().flat_map(|account| message.who.phones().map(move |phone| (account, phone)))
        {
            let at = last.entry((account.0, phone.as_str())).or_insert(message.at);
            *at = message.at.max(*at);
        }
    }
    if last.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into conversation (account_id, phone, last_inbound_at)
         select * from unnest($1::int[], $2::text[], $3::timestamptz[]) as u (account_id, phone, at) order by 1, 2
         on conflict (account_id, phone) do update set last_inbound_at = excluded.last_inbound_at
         where excluded.last_inbound_at > conversation.last_inbound_at",
    )
    .bind(last.keys().map(|(account, _)| *account).collect::<Vec<_>>())
    .bind(last.keys().map(|(_, phone)| *phone).collect::<Vec<_>>())
    .bind(last.values().copied().collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(Error::during("save conversations"))?;
    Ok(())
}

/// Applies the replies in the order in which they were written.
async fn reply(
    tx: &mut PgConnection,
    mut message: Vec<ReadMessage<'_>>,
    now: Timestamp,
) -> Result<ReplyEffects, Error> {
    message.sort_by_key(|message| message.at);
    let mut replies: Vec<ReadReply> = message.iter().flat_map(ReadMessage::inbound).collect();
    if message.iter().any(|message| message.word != Reply::Other) {
        replies.extend(later::words(tx, &message).await?);
    }
    let undone: Vec<(&str, i64)> = message.iter().filter_map(ReadMessage::undone).collect();
    let alike: Vec<ReadReply> = message.iter().flat_map(ReadMessage::doubtful).collect();
    let effects = act_on(tx, Heard { replies: &replies, undone: &undone, alike: &alike }, now).await?;
    lift_answered(tx, &message).await?;
    let stopped: Vec<OptedOut<'_>> = effects.stopped.iter().filter_map(|who| to_confirm(who, &message)).collect();
    confirmation::ask(tx, stopped, now).await?;
    Ok(effects)
}

/// Returns the STOP to confirm, if the person's last one was private: the provider itself confirms a changed setting.
/// `message` is in the order of time.
fn to_confirm<'a>((account, phone): &'a (AccountId, Phone), message: &[ReadMessage<'a>]) -> Option<OptedOut<'a>> {
    let is_it = |message: &&ReadMessage<'_>| message.word == Reply::Stop && message.who.phone.as_ref() == Some(phone);
    let last = message.iter().rfind(is_it).filter(|message| message.incoming.via.is_private())?;
    let InboundMessage { channel, number, .. } = last.incoming;
    Some(OptedOut { account_id: *account, phone: phone.as_str(), channel, sender: number.as_deref(), at: last.at })
}

impl ReadMessage<'_> {
    /// Returns true if the sender matters and may still become known: the answered message may be so recent that its
    /// provider id is not recorded yet.
    fn is_unresolved(&self) -> bool {
        let is_known = self.who.phone.is_some() || !self.who.alike.is_empty();
        !is_known && (self.incoming.context.is_some() || self.word != Reply::Other)
    }

    /// Returns the phone that the provider no longer refuses, and the code with which it did.
    fn undone(&self) -> Option<(&str, i64)> {
        Some((self.who.phone.as_ref()?.as_str(), self.incoming.undoes?))
    }

    /// Returns the reply of each phone that the person has.
    fn inbound(&self) -> impl Iterator<Item = ReadReply> {
        // A STOP counts even if its account is unknown.
        let account = self.who.account.unwrap_or(AccountId(0));
        self.who.phones().map(move |phone| self.by(account, phone))
    }

    /// Returns a reply for each phone that the person may have. They are held in all accounts.
    fn doubtful(&self) -> impl Iterator<Item = ReadReply> {
        self.who.alike.iter().map(|phone| self.by(AccountId(0), phone))
    }

    fn by(&self, account: AccountId, phone: &Phone) -> ReadReply {
        let inbound = Inbound { account, phone: phone.clone(), text: self.incoming.text.clone() };
        ReadReply { inbound, word: self.word }
    }
}

/// Removes the pending STOPs of these messages, known or not: their other effects are in this transaction.
async fn settle_pending(tx: &mut PgConnection, all: &[InboundMessage]) -> Result<(), Error> {
    let stops = all.iter().filter(|one| one.is_stop()).map(|one| one.id.as_str());
    let stops: Vec<&str> = stops.collect();
    if stops.is_empty() { Ok(()) } else { pending_stop::settle(tx, &stops).await }
}

/// Removes older pending STOPs of handsets that wrote START: only webhooks that were given up leave such.
async fn lift_answered(tx: &mut PgConnection, message: &[ReadMessage<'_>]) -> Result<(), Error> {
    let starts = message.iter().filter(|message| message.word == Reply::Start);
    let starts: Vec<(&str, Timestamp)> =
        starts.flat_map(|message| message.who.phones().map(|phone| (phone.as_str(), message.at))).collect();
    let others = handset::others_of(tx, &starts.iter().map(|(phone, _)| *phone).collect::<Vec<_>>(), false).await?;
    let whole = starts.iter().flat_map(|(phone, at)| {
        let others = others.get(*phone).into_iter().flatten().cloned();
        [(*phone).to_owned()].into_iter().chain(others).map(move |phone| (phone, *at))
    });
    pending_stop::lift_older(tx, &whole.collect::<Vec<_>>()).await
}
