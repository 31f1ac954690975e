//! Replies: a STOP takes effect at once, everywhere the phone is known; a START undoes it.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::suppression::{By, accounts_of, add, let_go};
use super::{confirmation, opt_out, review as hold};
use crate::core::consent;
use crate::core::consent::Reply;
use crate::core::domain::{AccountId, Phone, Timestamp};
use crate::core::lifecycle::target::Exit;
use crate::store::lock::{lock_lanes, lock_suppression_rows, lock_suppressions};
use crate::store::schedule::wake::wake;
use crate::store::{Error, Store};

/// LatestWords by the person.
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
pub struct ReplyEffects {
    /// They are written to no more.
    pub stopped: Vec<(AccountId, Phone)>,
    /// They may be written to again.
    pub started: Vec<(AccountId, Phone)>,
    /// They are written to no more by the account until somebody has read what they wrote.
    pub held: Vec<(AccountId, Phone)>,
    /// Targets that left for it.
    pub exited: u64,
}

impl Store {
    /// Acts on `replies`, in one transaction; what they say is for [`consent::read`] to tell.
    ///
    /// STOP suppresses the phone and has its active targets leave, in every account; a message on its way settles as it
    /// would, and is not tried again. START lifts a suppression that a STOP made, and no other: an opt-out that was
    /// imported stands in somebody's books, where it must be taken back. It brings nobody back into a run they left. What
    /// may be a STOP holds the person in the account that heard it, until a STOP, a START, or somebody who has read it.
    pub async fn reply(&self, replies: &[Inbound], now: Timestamp) -> Result<ReplyEffects, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to act on replies"))?;
        let heard = act_on(&mut tx, replies, &[], now).await?;
        tx.commit().await.map_err(Error::during("commit replies"))?;
        Ok(heard)
    }
}

/// As [`Store::reply`], in a transaction that has no lock yet that others wait for while they have these. A START of those whom
/// their provider refused with a code, and who are `undone` now, lifts what that suppressed.
pub(super) async fn act_on(
    tx: &mut PgConnection,
    replies: &[Inbound],
    undone: &[(&str, i64)],
    now: Timestamp,
) -> Result<ReplyEffects, Error> {
    let said = LatestWords::of(replies);
    if said.0.is_empty() {
        return Ok(ReplyEffects::default());
    }
    lock_suppressions(tx).await?;
    let (stops, texts) = said.stops();
    let starts = said.phones(|word| word.is(Reply::Start));
    let stopped = add(tx, (&stops, &texts), BY_REPLY, now).await?.new;
    let mut started = lift(tx, &starts).await?;
    let undone: Vec<&(&str, i64)> = undone.iter().filter(|(phone, _)| starts.contains(phone)).collect();
    started.extend(lift_refused(tx, &undone).await?);
    confirmation::withdraw(tx, &starts).await?;
    // Who says clearly what they want needs nobody to read what they said before.
    hold::end(tx, &said.phones(|word| word.last.is_some()), None).await?;
    let held = hold::begin(tx, &said.unclear(), now).await?;
    let (accounts, revived) = accounts_of(tx, &said.phones(|_| true), &starts).await?;
    lock_lanes(tx, &accounts).await?;
    let exited = let_go(tx, &accounts, (&said.phones(|word| word.stop), Exit::OptedOut), now).await?;
    opt_out::count(tx, &stopped, now).await?;
    // Who says START may be enrolled in what they were never in, and go on where they were held.
    wake(tx, &revived, now).await?;
    let heard = |phones: Vec<String>| phones.into_iter().filter_map(|phone| said.heard(phone)).collect();
    Ok(ReplyEffects { stopped: heard(stopped), started: heard(started), held, exited })
}

/// What a phone said in a batch.
#[derive(Debug, Default)]
struct Word<'a> {
    /// The last STOP or START of it, and who heard that.
    last: Option<(Reply, AccountId, &'a str)>,
    /// It said STOP, whatever followed.
    stop: bool,
    /// What it said since that only a person understands, by who heard it first.
    unclear: BTreeMap<AccountId, &'a str>,
}

impl Word<'_> {
    fn is(&self, reply: Reply) -> bool {
        self.last.is_some_and(|(last, ..)| last == reply)
    }
}

/// The words of each phone that said any.
#[derive(Debug, Default)]
struct LatestWords<'a>(BTreeMap<&'a str, Word<'a>>);

impl<'a> LatestWords<'a> {
    fn of(replies: &'a [Inbound]) -> Self {
        let mut said = Self::default();
        for Inbound { account, phone, text } in replies {
            let reply = consent::read(text);
            if reply == Reply::Other {
                continue;
            }
            let word = said.0.entry(phone.as_str()).or_default();
            if reply == Reply::Unclear {
                word.unclear.entry(*account).or_insert(text);
                continue;
            }
            let stop = word.stop || reply == Reply::Stop;
            *word = Word { last: Some((reply, *account, text)), stop, unclear: BTreeMap::new() };
        }
        said
    }

    fn phones(&self, which: impl Fn(&Word<'_>) -> bool) -> Vec<&'a str> {
        self.0.iter().filter(|(_, word)| which(word)).map(|(phone, _)| *phone).collect()
    }

    /// Who said STOP last, and how.
    fn stops(&self) -> (Vec<&'a str>, Vec<Option<&'a str>>) {
        let stops = self.0.iter().filter(|(_, word)| word.is(Reply::Stop));
        stops.map(|(phone, word)| (*phone, word.last.map(|(.., text)| text))).unzip()
    }

    fn unclear(&self) -> Vec<(AccountId, &'a str, &'a str)> {
        let all = self.0.iter().flat_map(|(phone, word)| word.unclear.iter().map(move |heard| (*phone, heard)));
        all.map(|(phone, (account, text))| (*account, phone, *text)).collect()
    }

    fn heard(&self, phone: String) -> Option<(AccountId, Phone)> {
        let (_, account, _) = self.0.get(phone.as_str())?.last?;
        Some((account, Phone::trusted(phone)))
    }
}

/// Returns the phones that were suppressed by a reply before.
async fn lift(tx: &mut PgConnection, phones: &[&str]) -> Result<Vec<String>, Error> {
    lock_suppression_rows(tx, phones).await?;
    sqlx::query_scalar("delete from suppression where phone = any($1) and source = 'reply' returning phone")
        .bind(phones)
        .fetch_all(tx)
        .await
        .map_err(Error::during("lift what a STOP suppressed"))
}

/// Returns the phones that were suppressed because their provider refused them with that code before.
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
    .map_err(Error::during("lift what a provider had suppressed"))
}
