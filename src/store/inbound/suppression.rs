//! Suppressions: phones that get no message of any campaign, by the person's word, an operator's, or a list.
//!
//! They are in force at once, before the locks of their other effects are free: see [`pending_stop`].
//!
//! Locks, in the order of an import: suppressions by phone, then the lanes of all accounts concerned in one pass.
//! Before both, enrollment is excluded: otherwise a person enrolled during the suppression would be missed.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::{confirmation, handset, opt_out, pending_stop, review as hold};
use crate::core::domain::{AccountId, CampaignId, Phone, ReferralId, TargetKey, Timestamp};
use crate::core::lifecycle::detail::{Detail, Phones};
use crate::core::lifecycle::event::EventKind;
use crate::core::lifecycle::target;
use crate::core::lifecycle::target::Exit;
use crate::store::event::{Event, tell};
use crate::store::facts::erased;
use crate::store::lock::{lock_lanes, lock_suppression_rows, lock_suppressions};
use crate::store::schedule::wake::{Changed, look_again, wake};
use crate::store::send::target_rows::TargetRows;
use crate::store::{Error, Store};

/// The source of a suppression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Entered by an operator.
    ByHand,
    /// Read from a file.
    InFile,
    /// Reported by a provider: the person told it, or it refuses messages to them.
    ByProvider,
    /// A STOP of the person, by another number of their handset.
    ByReply,
    /// Another phone of the handset is suppressed, and nobody said anything new.
    ByHandset,
}

/// The result of suppressing phones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Suppressed {
    /// Phones that were not suppressed before.
    pub added: u64,
    /// Targets that left because of it.
    pub exited: u64,
}

impl Store {
    /// Suppresses `phones`, and the other phones of their handsets, in every account, as a STOP does: their active targets
    /// leave. A START no longer lifts a suppression that a STOP made, once it is repeated here. One transaction.
    pub async fn suppress(
        &self,
        phones: &BTreeSet<Phone>,
        listed: Listed,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<Suppressed, Error> {
        let source = match listed {
            Listed::ByHand => "operator",
            Listed::InFile => "import",
            Listed::ByProvider | Listed::ByHandset => "channel",
            Listed::ByReply => "reply",
        };
        let by = By { source, actor: self.actor(), reason };
        let mut db = self.pool.acquire().await.map_err(Error::during("look for phones to suppress"))?;
        let first = concerned(&mut db, phones, listed).await?;
        drop(db);
        self.stop_listed_first(&first, by, now).await?;
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to suppress phones"))?;
        lock_suppressions(&mut tx).await?;
        let all = concerned(&mut tx, phones, listed).await?;
        let phones: Vec<&str> = all.iter().map(Phone::as_str).collect();
        let said: Vec<Option<&str>> = vec![None; phones.len()];
        let Added { new, kept } = add(&mut tx, (&phones, &said), by, now).await?;
        hold::end(&mut tx, &phones, None).await?;
        let (accounts, _) = accounts_of(&mut tx, &phones, &[]).await?;
        lock_lanes(&mut tx, &accounts).await?;
        let exited = let_go(&mut tx, &accounts, (&phones, Exit::OptedOut), now).await?;
        if listed == Listed::ByProvider {
            opt_out::count(&mut tx, &new, now).await?;
        }
        let mut named: Vec<&str> = new.iter().chain(&kept).map(String::as_str).collect();
        named.sort_unstable();
        if !named.is_empty() {
            let reason = reason.map(str::to_owned);
            let detail = Detail::Suppressed { phones: Phones::of(&named), reason: reason.clone() };
            let event = Event::new(EventKind::Suppressed, self.actor(), detail);
            tell(&mut tx, &[Event { reason, ..event }], now).await?;
        }
        pending_stop::settle_listed(&mut tx, &first.iter().chain(&all).map(Phone::as_str).collect::<Vec<_>>()).await?;
        let suppressed = Suppressed { added: new.len() as u64, exited };
        self.answer(&mut tx, &suppressed).await?;
        tx.commit().await.map_err(Error::during("commit suppressions"))?;
        Ok(suppressed)
    }

    /// Lifts the suppressions of `phones`, whatever their source, and returns the phones that had one. It returns
    /// nobody to a run they left, and cancels no opt-out in an export. One transaction.
    pub async fn unsuppress(
        &self,
        phones: &BTreeSet<Phone>,
        reason: &str,
        now: Timestamp,
    ) -> Result<BTreeSet<Phone>, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to lift suppressions"))?;
        lock_suppressions(&mut tx).await?;
        let phones = handset::whole(&mut tx, phones).await?;
        let phones: Vec<&str> = phones.iter().map(Phone::as_str).collect();
        lock_suppression_rows(&mut tx, &phones).await?;
        let lifted: Vec<String> = sqlx::query_scalar("delete from suppression where phone = any($1) returning phone")
            .bind(&phones)
            .fetch_all(&mut *tx)
            .await
            .map_err(Error::during("lift suppressions"))?;
        let mut named: Vec<&str> = lifted.iter().map(String::as_str).collect();
        named.sort_unstable();
        pending_stop::lift(&mut tx, &phones).await?;
        confirmation::withdraw(&mut tx, &named).await?;
        let (accounts, revived) = accounts_of(&mut tx, &phones, &named).await?;
        lock_lanes(&mut tx, &accounts).await?;
        wake(&mut tx, &revived, now).await?;
        if !named.is_empty() {
            let detail = Detail::Unsuppressed { phones: Phones::of(&named), reason: reason.to_owned() };
            let event = Event::new(EventKind::Unsuppressed, self.actor(), detail);
            tell(&mut tx, &[Event { reason: Some(reason.to_owned()), ..event }], now).await?;
        }
        tx.commit().await.map_err(Error::during("commit lifted suppressions"))?;
        Ok(lifted.into_iter().map(Phone::trusted).collect())
    }
}

/// Returns `phones` and the others of their handsets. A provider's report on a hand-over may arrive after the erasure of
/// a person, who is left out.
async fn concerned(db: &mut PgConnection, phones: &BTreeSet<Phone>, listed: Listed) -> Result<BTreeSet<Phone>, Error> {
    let mut phones = handset::whole(db, phones).await?;
    if matches!(listed, Listed::ByProvider | Listed::ByHandset) {
        let gone = erased::among(db, &phones.iter().map(Phone::as_str).collect::<Vec<_>>()).await?;
        phones.retain(|phone| !gone.contains(phone.as_str()));
    }
    Ok(phones)
}

/// The source of a suppression, and the reason for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct By<'a> {
    /// `reply`, `operator`, `import` or `channel`.
    pub(super) source: &'a str,
    pub(super) actor: Option<&'a str>,
    pub(super) reason: Option<&'a str>,
}

/// The changes to the suppression rows.
#[derive(Debug)]
pub(super) struct Added {
    /// Phones that were not suppressed before.
    pub(super) new: Vec<String>,
    /// Phones that were already suppressed, and that the person can no longer release.
    pub(super) kept: Vec<String>,
}

/// Suppresses phones, each given once, with the text each of them wrote. The first source recorded for a phone stays; a
/// later source other than the person makes it permanent, beside the person's text.
pub(super) async fn add(
    tx: &mut PgConnection,
    (phones, said): (&[&str], &[Option<&str>]),
    by: By<'_>,
    now: Timestamp,
) -> Result<Added, Error> {
    let pending: Vec<String> = sqlx::query_scalar(
        "select phone from suppression where phone = any($1) and is_pending order by phone for update",
    )
    .bind(phones)
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::during("lock pending suppressions"))?;
    let rows: Vec<(String, bool)> = sqlx::query_as(
        "insert into suppression as s (phone, source, actor, reason, said, suppressed_at)
         select phone, $3, $4, $5, said, $6 from unnest($1::text[], $2::text[]) as u (phone, said) order by phone
         on conflict (phone) do update
           set source = case when s.source = 'reply' then excluded.source else s.source end,
               actor = case when s.source = 'reply' then excluded.actor else s.actor end,
               reason = case when s.source = 'reply' then excluded.reason else s.reason end, is_pending = false
           where s.is_pending or (s.source = 'reply' and excluded.source <> 'reply')
         returning phone, xmax = 0 or phone = any($7)",
    )
    .bind(phones)
    .bind(said)
    .bind(by.source)
    .bind(by.actor)
    .bind(by.reason)
    .bind(now)
    .bind(pending)
    .fetch_all(tx)
    .await
    .map_err(Error::during("suppress phones"))?;
    let (new, kept): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, is_new)| *is_new);
    let phones = |rows: Vec<(String, bool)>| rows.into_iter().map(|(phone, _)| phone).collect();
    Ok(Added { new: phones(new), kept: phones(kept) })
}

/// Returns the accounts that know one of `phones`, and those among them that know one of `started`.
pub(in crate::store) async fn accounts_of(
    tx: &mut PgConnection,
    phones: &[&str],
    started: &[&str],
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

/// Makes the active targets of `phones` leave with `exit`, and schedules a look at their runs. The lanes of `accounts`
/// are already locked. If an import has added a phone since, enrollment no longer takes it.
pub(in crate::store) async fn let_go(
    tx: &mut PgConnection,
    accounts: &[AccountId],
    (phones, exit): (&[&str], Exit),
    now: Timestamp,
) -> Result<u64, Error> {
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
    let (mut changed, mut targets) = (Vec::new(), TargetRows::default());
    for (account, campaign, referral) in &rows {
        let (account, campaign) = (AccountId(*account), CampaignId(*campaign));
        let key = TargetKey { account, campaign, referral: ReferralId(*referral) };
        // The run's quota stays taken until the messages in flight have outcomes.
        changed.push(Changed::of(key, now, false));
        targets.push(key, target::Event::Left(exit), now);
    }
    targets.save(tx).await?;
    look_again(tx, changed).await?;
    Ok(rows.len() as u64)
}
