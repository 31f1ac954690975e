//! Resolutions: a person has found out the real outcome of uncertain messages.
//!
//! Locks, as when outcomes are saved: the lanes of all accounts concerned in one pass, then the messages by key.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::quota::{Returned, give_back};
use crate::core::domain::{AccountId, CampaignId, MessageKey, NaiveDate, ReferralId, TargetKey, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::event::EventKind;
use crate::core::lifecycle::message::{State, step};
use crate::core::lifecycle::outcome::{Finding, resolve};
use crate::store::columns::{Batch, columns};
use crate::store::event::{Event, tell};
use crate::store::keys::MessageKeyRow;
use crate::store::lock::{lock_lanes, lock_messages};
use crate::store::schedule::wake::{Changed, look_again};
use crate::store::{Error, Store};

/// The messages to resolve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen<'a> {
    /// By their ids, `campaign/account/referral/day`.
    Ids(&'a [String]),
    /// The messages of one account with these ids; others count as unknown.
    IdsOf(AccountId, &'a [String]),
    /// All uncertain messages queued before this instant, of a campaign and an account or of all.
    Before { at: Timestamp, campaign: Option<&'a str>, account: Option<&'a str> },
}

/// The result of a resolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// The number of messages that are no longer uncertain.
    Done(u64),
    /// These ids name no message, or one that is not uncertain: nothing was written.
    Refused(Vec<(String, Option<State>)>),
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    account_id: i32,
    campaign_id: i32,
    referral_id: i64,
    day: i16,
    quota_date: Option<NaiveDate>,
}

impl Row {
    fn key(&self) -> MessageKey {
        let (account, campaign) = (AccountId(self.account_id), CampaignId(self.campaign_id));
        MessageKey { target: TargetKey { account, campaign, referral: ReferralId(self.referral_id) }, day: self.day }
    }
}

impl Store {
    /// Sets the uncertain messages of `chosen` to the outcome found. Nothing is resent, and their targets continue
    /// unchanged. Messages that never left return their quota, if its day is not over. One transaction: all messages or
    /// none.
    pub async fn resolve(
        &self,
        chosen: Chosen<'_>,
        finding: Finding,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<Resolved, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to resolve messages"))?;
        let mut rows = match chosen {
            Chosen::Ids(ids) => by_ids(&mut tx, ids, None).await?,
            Chosen::IdsOf(account, ids) => by_ids(&mut tx, ids, Some(account)).await?,
            Chosen::Before { at, campaign, account } => uncertain(&mut tx, at, campaign, account).await?,
        };
        let mut accounts: Vec<AccountId> = rows.iter().map(|row| AccountId(row.account_id)).collect();
        accounts.dedup();
        lock_lanes(&mut tx, &accounts).await?;
        let states = lock_messages(&mut tx, rows.iter().map(Row::key)).await?;
        let settlement = resolve(finding);
        let resolved = |state: State| step(state, settlement.event).ok();
        let next = |row: &Row| states.get(&row.key()).and_then(|state| resolved(*state));
        if let Chosen::Ids(ids) | Chosen::IdsOf(_, ids) = chosen {
            let state =
                |id: &String| rows.iter().find(|row| row.id == *id).and_then(|row| states.get(&row.key()).copied());
            let refused: Vec<_> = ids.iter().filter(|id| state(id).and_then(resolved).is_none()).collect();
            if !refused.is_empty() {
                return Ok(Resolved::Refused(refused.into_iter().map(|id| (id.clone(), state(id))).collect()));
            }
        }
        rows.retain(|row| next(row).is_some());
        let Some(state) = rows.first().and_then(next) else { return Ok(Resolved::Done(0)) };
        let resolved = rows.len() as u64;
        save(&mut tx, &rows, state, settlement.give_back).await?;
        if settlement.give_back {
            return_quota(&mut tx, &rows, now).await?;
        }
        tell(&mut tx, &events(&rows, state, self.actor(), reason), now).await?;
        self.answer(&mut tx, &resolved).await?;
        tx.commit().await.map_err(Error::during("commit resolved messages"))?;
        Ok(Resolved::Done(resolved))
    }
}

columns! {
    /// The id of a message, and one split of it.
    struct IdRow<'a> {
        id: &'a str,
        campaign: &'a str,
        account: &'a str,
        referral: &'a str,
        day: i16,
    }
}

const BY_IDS: Batch<IdRow<'_>> = Batch::of(include_str!("resolution_by_ids.sql"));

/// Returns the messages with these ids, in key order. Ids of accounts and referrals may contain `/`, so every split is
/// tried.
async fn by_ids(tx: &mut PgConnection, ids: &[String], account: Option<AccountId>) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    for id in ids {
        let Some((campaign, rest)) = id.split_once('/') else { continue };
        let Some((rest, day)) = rest.rsplit_once('/').and_then(|(rest, day)| Some((rest, day.parse::<i16>().ok()?)))
        else {
            continue;
        };
        for (at, slash) in rest.match_indices('/') {
            let (account, referral) = (&rest[..at], &rest[at + slash.len()..]);
            rows.push(IdRow { id, campaign, account, referral, day });
        }
    }
    let found = BY_IDS.query_as(rows).bind(account.map(|account| account.0));
    found.fetch_all(tx).await.map_err(Error::during("look for messages"))
}

/// Returns all uncertain messages, in key order.
async fn uncertain(
    tx: &mut PgConnection,
    at: Timestamp,
    campaign: Option<&str>,
    account: Option<&str>,
) -> Result<Vec<Row>, Error> {
    sqlx::query_as(
        "select concat_ws('/', c.name, a.external_id, r.external_id, m.day) as id, m.account_id, m.campaign_id,
                m.referral_id, m.day, m.quota_date
         from message m join campaign c on c.id = m.campaign_id join account a on a.id = m.account_id
         join referral r on r.account_id = m.account_id and r.id = m.referral_id
         where m.state = 'uncertain' and m.queued_at < $1 and ($2::text is null or c.name = $2)
           and ($3::text is null or a.external_id = $3)
         order by m.account_id, m.campaign_id, m.referral_id, m.day",
    )
    .bind(at)
    .bind(campaign)
    .bind(account)
    .fetch_all(tx)
    .await
    .map_err(Error::during("find uncertain messages"))
}

const SAVE: Batch<MessageKeyRow> = Batch::of(
    "update message m
     set state = $5, sent_at = case when $5 = 'sent' then coalesce(m.sent_at, m.queued_at) else m.sent_at end,
         error = case when $5 = 'sent' then null else 'it never left' end,
         quota_date = case when $6 then null else m.quota_date end
     from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[])
          as u (account_id, campaign_id, referral_id, day)
     where (m.account_id, m.referral_id, m.campaign_id, m.day)
         = (u.account_id, u.referral_id, u.campaign_id, u.day)",
);

/// Saves the outcome. The send time of a message that left is unknown, so its queue time is used.
async fn save(tx: &mut PgConnection, rows: &[Row], state: State, gives_back: bool) -> Result<(), Error> {
    let rows = rows.iter().map(Row::key).map(MessageKeyRow::from);
    let saved = SAVE.query(rows).bind(state.as_str()).bind(gives_back).execute(tx).await;
    saved.map(drop).map_err(Error::during("save resolved messages"))
}

/// Returns the messages' quota, and schedules a look at lanes that may now send more.
async fn return_quota(tx: &mut PgConnection, rows: &[Row], now: Timestamp) -> Result<(), Error> {
    let counted = || rows.iter().filter_map(|row| Some((row.key().target, row.quota_date?)));
    let returned = |(key, day): (TargetKey, NaiveDate)| {
        let (account_id, campaign_id) = (key.account, key.campaign);
        Returned { account_id, campaign_id, day }
    };
    give_back(tx, counted().map(returned).collect()).await?;
    look_again(tx, counted().map(|(key, _)| Changed::of(key, now, true)).collect()).await
}

/// Returns one event for each run concerned.
fn events(rows: &[Row], state: State, actor: Option<&str>, reason: Option<&str>) -> Vec<Event> {
    let mut runs: BTreeMap<(AccountId, CampaignId), Vec<&Row>> = BTreeMap::new();
    for row in rows {
        let TargetKey { account, campaign, .. } = row.key().target;
        runs.entry((account, campaign)).or_default().push(row);
    }
    let event = |((account, campaign), rows): ((AccountId, CampaignId), Vec<&Row>)| {
        let reason = reason.map(str::to_owned);
        let detail = match rows[..] {
            [row] => Detail::MessageResolved { message: row.id.clone(), state, reason: reason.clone() },
            _ => Detail::MessagesResolved { messages: rows.len() as u64, state, reason: reason.clone() },
        };
        Event {
            account: Some(account),
            campaign: Some(campaign),
            before: Some(State::Uncertain.as_str().to_owned()),
            after: Some(state.as_str().to_owned()),
            reason,
            ..Event::new(EventKind::MessageResolved, actor, detail)
        }
    };
    runs.into_iter().map(event).collect()
}
