//! Replies: a STOP takes effect at once, in every account that knows the phone; a START undoes it.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::suppression::{By, accounts_of, add, let_go};
use super::{confirmation, handset, opt_out, review as hold};
use crate::core::consent;
use crate::core::consent::Reply;
use crate::core::domain::{AccountId, Phone, Timestamp};
use crate::core::lifecycle::target::Exit;
use crate::store::lock::{lock_lanes, lock_suppression_rows, lock_suppressions};
use crate::store::schedule::wake::wake;
use crate::store::{Error, Store};

/// The source for replies of the person.
pub(super) const BY_REPLY: By<'_> = By { source: "reply", actor: None, reason: None };

/// A message from a person to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// The account whose number received it.
    pub account: AccountId,
    /// The sender's phone.
    pub phone: Phone,
    pub text: String,
}

/// A reply, and its meaning.
#[derive(Debug, Clone)]
pub(super) struct ReadReply {
    pub(super) inbound: Inbound,
    pub(super) word: Reply,
}

impl ReadReply {
    pub(super) fn of(inbound: Inbound) -> Self {
        Self { word: consent::read(&inbound.text), inbound }
    }
}

/// The changes made by replies: phones, each with the account that received the reply and should answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplyEffects {
    /// These phones get no more messages.
    pub stopped: Vec<(AccountId, Phone)>,
    /// These phones may get messages again.
    pub started: Vec<(AccountId, Phone)>,
    /// The account sends these phones nothing until a person has reviewed the reply.
    pub held: Vec<(AccountId, Phone)>,
    /// Targets that left because of a STOP.
    pub exited: u64,
}

impl Store {
    /// Acts on `replies`, in one transaction; [`consent::read`] interprets their text.
    ///
    /// STOP suppresses the phone and makes its active targets leave, in every account. A message in flight gets its
    /// outcome as usual and is not retried. START lifts only a suppression that a STOP made: an imported opt-out must
    /// be removed at its source. START returns nobody to a run they left. A possible STOP puts the person under review
    /// in the receiving account, until a STOP, a START, or a reviewer's decision.
    pub async fn reply(&self, replies: &[Inbound], now: Timestamp) -> Result<ReplyEffects, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to act on replies"))?;
        let replies: Vec<ReadReply> = replies.iter().cloned().map(ReadReply::of).collect();
        let sender_of = act_on(&mut tx, Heard { replies: &replies, undone: &[], alike: &[] }, now).await?;
        tx.commit().await.map_err(Error::during("commit replies"))?;
        Ok(sender_of)
    }
}

/// The input of [`act_on`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard<'a> {
    pub(super) replies: &'a [ReadReply],
    /// Phones that the provider no longer refuses, each with the code of its refusals. A START lifts the suppression
    /// that such a refusal made.
    pub(super) undone: &'a [(&'a str, i64)],
    /// Replies with each phone that the author may have.
    pub(super) alike: &'a [ReadReply],
}

/// Acts as [`Store::reply`], in a transaction that holds no lock that comes later in the lock order. A reply concerns all
/// phones of a handset. People who may have replied are under review, whatever the reply says.
pub(super) async fn act_on(
    tx: &mut PgConnection,
    Heard { replies, undone, alike }: Heard<'_>,
    now: Timestamp,
) -> Result<ReplyEffects, Error> {
    let words: Vec<ReadReply> = replies.iter().filter(|reply| reply.word != Reply::Other).cloned().collect();
    if words.is_empty() && alike.is_empty() {
        return Ok(ReplyEffects::default());
    }
    lock_suppressions(tx).await?;
    let words = handset::spread(tx, &words).await?;
    let latest = LatestWords::of(&words);
    let (stops, texts) = latest.stops();
    let starts = latest.phones(|word| word.is(Reply::Start));
    let stopped = add(tx, (&stops, &texts), BY_REPLY, now).await?.new;
    let mut started = lift(tx, &starts).await?;
    let undone: Vec<&(&str, i64)> = undone.iter().filter(|(phone, _)| starts.contains(phone)).collect();
    started.extend(lift_refused(tx, &undone).await?);
    confirmation::withdraw(tx, &starts).await?;
    // A clear reply makes a review of earlier replies unnecessary.
    hold::end(tx, &latest.phones(|word| word.last.is_some()), None).await?;
    let mut unclear = latest.unclear();
    unclear
        .extend(alike.iter().map(|one| (one.inbound.account, one.inbound.phone.as_str(), one.inbound.text.as_str())));
    let held = hold::begin(tx, &unclear, now).await?;
    let mut phones = latest.phones(|_| true);
    phones.extend(alike.iter().map(|one| one.inbound.phone.as_str()));
    let (accounts, revived) = accounts_of(tx, &phones, &starts).await?;
    lock_lanes(tx, &accounts).await?;
    let exited = let_go(tx, &accounts, (&latest.phones(|word| word.stop), Exit::OptedOut), now).await?;
    opt_out::count(tx, &stopped, now).await?;
    // A START may allow enrollment in new runs, and lets targets under review continue.
    wake(tx, &revived, now).await?;
    let sender_of = |phones: Vec<String>| phones.into_iter().filter_map(|phone| latest.sender_of(phone)).collect();
    Ok(ReplyEffects { stopped: sender_of(stopped), started: sender_of(started), held, exited })
}

/// The replies of one phone in a batch.
#[derive(Debug, Default)]
struct Word<'a> {
    /// The last STOP or START, with the account that received it.
    last: Option<(Reply, AccountId, &'a str)>,
    /// The phone said STOP at some point, whatever followed.
    stop: bool,
    /// The first unclear reply to each account since then.
    unclear: BTreeMap<AccountId, &'a str>,
}

impl Word<'_> {
    fn is(&self, reply: Reply) -> bool {
        self.last.is_some_and(|(last, ..)| last == reply)
    }
}

/// The replies of each phone.
#[derive(Debug, Default)]
struct LatestWords<'a>(BTreeMap<&'a str, Word<'a>>);

impl<'a> LatestWords<'a> {
    fn of(replies: &'a [ReadReply]) -> Self {
        let mut latest = Self::default();
        for ReadReply { inbound: Inbound { account, phone, text }, word } in replies {
            let reply = *word;
            if reply == Reply::Other {
                continue;
            }
            let word = latest.0.entry(phone.as_str()).or_default();
            if reply == Reply::Unclear {
                word.unclear.entry(*account).or_insert(text);
                continue;
            }
            let stop = word.stop || reply == Reply::Stop;
            *word = Word { last: Some((reply, *account, text)), stop, unclear: BTreeMap::new() };
        }
        latest
    }

    fn phones(&self, which: impl Fn(&Word<'_>) -> bool) -> Vec<&'a str> {
        self.0.iter().filter(|(_, word)| which(word)).map(|(phone, _)| *phone).collect()
    }

    /// Returns the phones whose last clear reply is STOP, with its text.
    fn stops(&self) -> (Vec<&'a str>, Vec<Option<&'a str>>) {
        let stops = self.0.iter().filter(|(_, word)| word.is(Reply::Stop));
        stops.map(|(phone, word)| (*phone, word.last.map(|(.., text)| text))).unzip()
    }

    fn unclear(&self) -> Vec<(AccountId, &'a str, &'a str)> {
        let all = self.0.iter().flat_map(|(phone, word)| word.unclear.iter().map(move |sender_of| (*phone, sender_of)));
        all.map(|(phone, (account, text))| (*account, phone, *text)).collect()
    }

    fn sender_of(&self, phone: String) -> Option<(AccountId, Phone)> {
        let (_, account, _) = self.0.get(phone.as_str())?.last?;
        Some((account, Phone::trusted(phone)))
    }
}

/// Lifts the suppressions made by a reply, and returns their phones.
async fn lift(tx: &mut PgConnection, phones: &[&str]) -> Result<Vec<String>, Error> {
    lock_suppression_rows(tx, phones).await?;
    // The START answers a pending STOP before it had its effects.
    sqlx::query_scalar(
        "with lifted as (
           delete from suppression where phone = any($1) and source = 'reply' returning phone, is_pending)
         select phone from lifted where not is_pending",
    )
    .bind(phones)
    .fetch_all(tx)
    .await
    .map_err(Error::during("lift the suppressions of a STOP"))
}

/// Lifts the suppressions made by provider refusals with these codes, and returns their phones.
async fn lift_refused(tx: &mut PgConnection, undone: &[&(&str, i64)]) -> Result<Vec<String>, Error> {
    if undone.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_scalar(
        "delete from suppression s using unnest($1::text[], $2::text[]) as u (phone, code)
         where s.phone = u.phone and s.source = 'channel' and starts_with(s.reason, u.code || ':') returning s.phone",
    )
    .bind(undone.iter().map(|(phone, _)| *phone).collect::<Vec<_>>())
    .bind(undone.iter().map(|(_, code)| code.to_string()).collect::<Vec<_>>())
    .fetch_all(tx)
    .await
    .map_err(Error::during("lift a provider's suppressions"))
}
