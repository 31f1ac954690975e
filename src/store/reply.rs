//! Replies: a STOP takes effect at once, everywhere the phone is known; a START undoes it.
//!
//! Locks, in the order of an import: suppressions by phone, then the lanes of all accounts concerned in one pass.
//! Before both, nobody enrolls: whoever is being taken into a run while they say STOP would be missed.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::claim::{Keys, lock_lanes};
use super::claim_write::{TargetRow, TargetRows};
use super::import::wake;
use super::outcome::{Changed, look_again};
use super::{Error, Store};
use crate::consent::{self, Reply};
use crate::domain::{AccountId, CampaignId, Phone, ReferralId, TargetKey, Timestamp};
use crate::lifecycle::target::Exit;

/// One set of replies at a time, and no enrollment meanwhile.
const LOCK: i64 = 0x7265_6c61_6e63_6502;

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
    let stopped = suppress(tx, &said.phones(|word| word.last == Reply::Stop), now).await?;
    let started = lift(tx, &said.phones(|word| word.last == Reply::Start)).await?;
    let (accounts, revived) = accounts_of(tx, &said.phones(|_| true), &started).await?;
    lock_lanes(tx, &accounts).await?;
    let exited = let_go(tx, &accounts, &said.phones(|word| word.stop), now).await?;
    // Who says START may be enrolled in what they were never in.
    wake(tx, &revived, now).await?;
    let heard = |phones: Vec<String>| phones.into_iter().filter_map(|phone| said.heard(phone)).collect();
    Ok(Heard { stopped: heard(stopped), started: heard(started), exited })
}

/// From here to the commit nobody else acts on replies, and nobody enrolls.
pub(super) async fn take_turns(tx: &mut PgConnection) -> Result<(), Error> {
    let taken = sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(tx).await;
    taken.map(drop).map_err(Error::during("wait for whoever enrolls"))
}

/// From here to the commit nobody says STOP; `false` when somebody does at this moment.
pub(super) async fn hold_replies(tx: &mut PgConnection) -> Result<bool, Error> {
    sqlx::query_scalar("select pg_try_advisory_xact_lock_shared($1)")
        .bind(LOCK)
        .fetch_one(tx)
        .await
        .map_err(Error::during("hold the replies"))
}

/// What a phone said in a batch.
#[derive(Debug)]
struct Word {
    /// Who heard the last of it.
    account: AccountId,
    last: Reply,
    /// It said STOP, whatever followed.
    stop: bool,
}

/// The words of each phone that said any.
#[derive(Debug, Default)]
struct Said<'a>(BTreeMap<&'a str, Word>);

impl<'a> Said<'a> {
    fn of(replies: &'a [Inbound]) -> Self {
        let mut said = Self::default();
        for Inbound { account, phone, text } in replies {
            let (account, last) = (*account, consent::read(text));
            if last == Reply::Other {
                continue;
            }
            let word = said.0.entry(phone.as_str()).or_insert(Word { account, last, stop: false });
            *word = Word { account, last, stop: word.stop || last == Reply::Stop };
        }
        said
    }

    fn phones(&self, which: impl Fn(&Word) -> bool) -> Vec<&'a str> {
        self.0.iter().filter(|(_, word)| which(word)).map(|(phone, _)| *phone).collect()
    }

    fn heard(&self, phone: String) -> Option<(AccountId, Phone)> {
        let account = self.0.get(phone.as_str())?.account;
        Some((account, Phone::trusted(phone)))
    }
}

/// Returns the phones that were not suppressed before.
async fn suppress(tx: &mut PgConnection, phones: &[&str], now: Timestamp) -> Result<Vec<String>, Error> {
    sqlx::query_scalar(
        "insert into suppression (phone, reason, suppressed_at)
         select phone, 'reply', $2 from unnest($1::text[]) as u (phone) order by phone
         on conflict (phone) do nothing returning phone",
    )
    .bind(phones)
    .bind(now)
    .fetch_all(tx)
    .await
    .map_err(Error::during("suppress who said STOP"))
}

/// Returns the phones that were suppressed by a reply before.
async fn lift(tx: &mut PgConnection, phones: &[&str]) -> Result<Vec<String>, Error> {
    sqlx::query_scalar("delete from suppression where phone = any($1) and reason = 'reply' returning phone")
        .bind(phones)
        .fetch_all(tx)
        .await
        .map_err(Error::during("lift what a STOP suppressed"))
}

/// The accounts that know one of `phones`, and of those the ones that know one of `started`.
async fn accounts_of(
    tx: &mut PgConnection,
    phones: &[&str],
    started: &[String],
) -> Result<(Vec<AccountId>, Vec<i32>), Error> {
    let rows: Vec<(i32, bool)> = sqlx::query_as(
        "select account_id, bool_or(phone = any($2)) from referral where phone = any($1) group by account_id",
    )
    .bind(phones)
    .bind(started)
    .fetch_all(tx)
    .await
    .map_err(Error::during("look for the accounts of phones"))?;
    let revived = rows.iter().filter(|(_, revived)| *revived).map(|(account, _)| *account).collect();
    Ok((rows.into_iter().map(|(account, _)| AccountId(account)).collect(), revived))
}

/// Has the active targets of `phones` leave, and their runs looked at. The lanes of `accounts` are locked by then; where
/// an import has brought a phone since, nobody is enrolled with it any more.
async fn let_go(tx: &mut PgConnection, accounts: &[AccountId], phones: &[&str], now: Timestamp) -> Result<u64, Error> {
    let rows: Vec<(i32, i32, i64)> = sqlx::query_as(
        "select t.account_id, t.campaign_id, t.referral_id from referral r join run n on n.account_id = r.account_id
         join target t on (t.account_id, t.campaign_id, t.referral_id) = (n.account_id, n.campaign_id, r.id)
         where r.phone = any($1) and r.account_id = any($2) and t.state = 'active'",
    )
    .bind(phones)
    .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::during("look for the targets of phones"))?;
    let (mut keys, mut targets) = (Keys::default(), TargetRows::default());
    for (account, campaign, referral) in &rows {
        let (account, campaign) = (AccountId(*account), CampaignId(*campaign));
        let key = TargetKey { account, campaign, referral: ReferralId(*referral) };
        keys.push(key);
        targets.push(key, TargetRow::Exited(Exit::OptedOut), now);
    }
    targets.save(tx).await?;
    // Nobody else may write for it: quota comes back when what is on its way has settled.
    let changed = Changed { keys, at: vec![now; rows.len()], gave_back: vec![false; rows.len()] };
    look_again(tx, changed).await?;
    Ok(rows.len() as u64)
}
