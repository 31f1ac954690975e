//! Later words: replies that a handset wrote later than the present ones still apply.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::ReadMessage;
use crate::core::consent::Reply;
use crate::core::domain::{Phone, Timestamp};
use crate::store::inbound::handset;
use crate::store::inbound::handset::Others;
use crate::store::inbound::reply::ReadReply;
use crate::store::{Error, Inbound};

/// A word of a phone. Of two words of one instant, STOP is the later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Word {
    at: Timestamp,
    is_stop: bool,
    /// The word was recorded before, and is no part of the present batch.
    is_recorded: bool,
}

/// The phones whose words concern a phone. A START concerns fewer phones than a STOP: see [`handset::spread`].
struct Concerned {
    of_stops: Others,
    of_starts: Others,
}

impl Concerned {
    fn is(&self, phone: &str, said_by: &str, is_stop: bool) -> bool {
        let others = if is_stop { &self.of_stops } else { &self.of_starts };
        phone == said_by || others.get(phone).is_some_and(|others| others.contains(said_by))
    }
}

/// Returns the recorded replies that handsets wrote later than the present ones, by any of their phones.
pub(super) async fn words(tx: &mut PgConnection, message: &[ReadMessage<'_>]) -> Result<Vec<ReadReply>, Error> {
    let present: Vec<&ReadMessage<'_>> = message.iter().filter(|message| message.word != Reply::Other).collect();
    let phones: Vec<&str> = present.iter().flat_map(|message| message.who.phones()).map(Phone::as_str).collect();
    let concerned = Concerned {
        of_stops: handset::others(tx, &phones).await?,
        of_starts: handset::others_of(tx, &phones, false).await?,
    };
    let all: BTreeSet<&str> =
        concerned.of_stops.values().flatten().map(String::as_str).chain(phones.iter().copied()).collect();
    let ids: Vec<&str> = present.iter().map(|message| message.incoming.id.as_str()).collect();
    let recorded = recorded(tx, &all, &ids).await?;
    let later = present.iter().filter_map(|message| {
        // One of the person's phones is enough: the reply reaches the others.
        let last =
            message.who.phones().filter_map(|phone| last(phone.as_str(), &present, &recorded, &concerned)).max()?;
        let word = if last.is_stop { Reply::Stop } else { Reply::Start };
        let text = if last.is_stop { "stop" } else { "start" };
        let repeated =
            move |one: ReadReply| ReadReply { inbound: Inbound { text: text.to_owned(), ..one.inbound }, word };
        last.is_recorded.then(|| message.inbound().map(repeated).collect::<Vec<_>>())
    });
    Ok(later.flatten().collect())
}

/// Returns the last word that concerns `phone`.
fn last(
    phone: &str,
    present: &[&ReadMessage<'_>],
    recorded: &[(String, Timestamp, bool)],
    concerned: &Concerned,
) -> Option<Word> {
    let present = present.iter().filter_map(|message| {
        // An unclear reply reaches the same phones as a STOP, and a START of its instant does not answer it.
        let is_stop = message.word != Reply::Start;
        let spoken = message.who.phones().any(|by| concerned.is(phone, by.as_str(), is_stop));
        spoken.then_some(Word { at: message.at, is_stop, is_recorded: false })
    });
    let recorded = recorded.iter().filter(|(by, _, is_stop)| concerned.is(phone, by, *is_stop));
    present.chain(recorded.map(|(_, at, is_stop)| Word { at: *at, is_stop: *is_stop, is_recorded: true })).max()
}

/// Returns the last STOP and the last START of each phone, except those of `messages`.
async fn recorded(
    tx: &mut PgConnection,
    phones: &BTreeSet<&str>,
    messages: &[&str],
) -> Result<Vec<(String, Timestamp, bool)>, Error> {
    sqlx::query_as(
        "select phone, max(at), word = 'stop' from inbound
         where phone = any($1) and word is not null and message_id <> all($2) group by phone, word
         union all
         select phone, max(at), true from pending_stop
         where phone = any($1) and at is not null and message_id <> all($2) group by phone",
    )
    .bind(phones.iter().copied().collect::<Vec<_>>())
    .bind(messages)
    .fetch_all(tx)
    .await
    .map_err(Error::during("look for later messages of the same people"))
}
