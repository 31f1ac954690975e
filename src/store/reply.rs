//! Replies: a STOP takes effect at once, everywhere the phone is known; a START undoes it.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::claim::lock_lanes;
use super::import::wake;
use super::suppression::{By, accounts_of, add, let_go, take_turns};
use super::{Error, Store};
use crate::consent::{self, Reply};
use crate::domain::{AccountId, Phone, Timestamp};

/// Said by the person.
const BY_REPLY: By<'_> = By { source: "reply", actor: None, reason: None };

/// A message from a person to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// Whose number it was sent to.
    pub account: AccountId,
    /// Whose phone it came from.
    pub phone: Phone,
    pub text: String,
}

/// What replies changed: phones with the account that heard them and is the one to answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// They are written to no more.
    pub stopped: Vec<(AccountId, Phone)>,
    /// They may be written to again.
    pub started: Vec<(AccountId, Phone)>,
    /// Targets that left for it.
    pub exited: u64,
}

impl Store {
    /// Acts on `replies`, in one transaction; what they say is for [`consent::read`] to tell.
    ///
    /// STOP suppresses the phone and has its active targets leave, in every account; a message on its way settles as it
    /// would, and is not tried again. START lifts a suppression that a STOP made, and no other: an opt-out that was
    /// imported stands in somebody's books, where it must be taken back. It brings nobody back into a run they left.
    pub async fn reply(&self, replies: &[Inbound], now: Timestamp) -> Result<Heard, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to act on replies"))?;
        let heard = act_on(&mut tx, replies, now).await?;
        tx.commit().await.map_err(Error::during("commit replies"))?;
        Ok(heard)
    }
}

/// As [`Store::reply`], in a transaction that has no lock yet that others wait for while they have these.
pub(super) async fn act_on(tx: &mut PgConnection, replies: &[Inbound], now: Timestamp) -> Result<Heard, Error> {
    let said = Said::of(replies);
    if said.0.is_empty() {
        return Ok(Heard::default());
    }
    take_turns(tx).await?;
    let (phones, texts) = (said.phones(|word| word.last == Reply::Stop), said.texts(|word| word.last == Reply::Stop));
    let stopped = add(tx, (&phones, &texts), BY_REPLY, now).await?.new;
    let started = lift(tx, &said.phones(|word| word.last == Reply::Start)).await?;
    let (accounts, revived) = accounts_of(tx, &said.phones(|_| true), &started).await?;
    lock_lanes(tx, &accounts).await?;
    let exited = let_go(tx, &accounts, &said.phones(|word| word.stop), now).await?;
    // Who says START may be enrolled in what they were never in.
    wake(tx, &revived, now).await?;
    let heard = |phones: Vec<String>| phones.into_iter().filter_map(|phone| said.heard(phone)).collect();
    Ok(Heard { stopped: heard(stopped), started: heard(started), exited })
}

/// What a phone said in a batch.
#[derive(Debug)]
struct Word<'a> {
    /// Who heard the last of it.
    account: AccountId,
    /// The last of it.
    text: &'a str,
    last: Reply,
    /// It said STOP, whatever followed.
    stop: bool,
}

/// The words of each phone that said any.
#[derive(Debug, Default)]
struct Said<'a>(BTreeMap<&'a str, Word<'a>>);

impl<'a> Said<'a> {
    fn of(replies: &'a [Inbound]) -> Self {
        let mut said = Self::default();
        for Inbound { account, phone, text } in replies {
            let (account, last) = (*account, consent::read(text));
            if last == Reply::Other {
                continue;
            }
            let word = said.0.entry(phone.as_str()).or_insert(Word { account, text, last, stop: false });
            *word = Word { account, text, last, stop: word.stop || last == Reply::Stop };
        }
        said
    }

    fn phones(&self, which: impl Fn(&Word<'_>) -> bool) -> Vec<&'a str> {
        self.0.iter().filter(|(_, word)| which(word)).map(|(phone, _)| *phone).collect()
    }

    fn texts(&self, which: impl Fn(&Word<'_>) -> bool) -> Vec<Option<&'a str>> {
        self.0.values().filter(|word| which(word)).map(|word| Some(word.text)).collect()
    }

    fn heard(&self, phone: String) -> Option<(AccountId, Phone)> {
        let account = self.0.get(phone.as_str())?.account;
        Some((account, Phone::trusted(phone)))
    }
}

/// Returns the phones that were suppressed by a reply before.
async fn lift(tx: &mut PgConnection, phones: &[&str]) -> Result<Vec<String>, Error> {
    sqlx::query_scalar("delete from suppression where phone = any($1) and source = 'reply' returning phone")
        .bind(phones)
        .fetch_all(tx)
        .await
        .map_err(Error::during("lift what a STOP suppressed"))
}
