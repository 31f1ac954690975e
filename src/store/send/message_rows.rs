//! Message changes from outcomes. After a person's erasure only the fact that they were sent a message is saved.

use sqlx::PgConnection;

use crate::core::dispatch::OutgoingMessage;
use crate::core::domain::{AccountId, CampaignId, ReferralId, Timestamp};
use crate::core::lifecycle::message::{Event, State, step};
use crate::core::lifecycle::outcome::{Outcome, OutcomeEffects, Refusal};
use crate::store::Error;
use crate::store::columns::{Batch, columns};
use crate::store::lock::lock_messages;

/// A message, its outcome, and what the outcome means.
pub(super) type Settled<'a> = (&'a OutgoingMessage, &'a Outcome, OutcomeEffects);

/// Saves the outcomes of messages, sorted by key: the lock order that receipts use too.
pub(in crate::store) async fn save(tx: &mut PgConnection, all: &[Settled<'_>], now: Timestamp) -> Result<(), Error> {
    if all.iter().all(|(_, _, settlement)| settlement.is_plain()) {
        accepted(tx, all, now).await
    } else {
        mixed(tx, all, now).await
    }
}

columns! {
    /// A message that its channel accepted.
    struct AcceptedRow<'a> {
        account_id: AccountId,
        campaign_id: CampaignId,
        referral_id: ReferralId,
        day: i16,
        sent_at: Timestamp,
        provider_id: &'a str,
    }
}

const SAVE_ACCEPTED: Batch<AcceptedRow<'_>> = Batch::of(
    "update message m
     set state = case when m.state in ('sending', 'uncertain') then 'sent' else m.state end,
         error = case when m.state in ('sending', 'uncertain') then null else m.error end,
         sent_at = coalesce(m.sent_at, u.sent_at), provider_id = case when m.phone <> '' then u.provider_id end
     from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[], $5::timestamptz[], $6::text[])
          as u (account_id, campaign_id, referral_id, day, sent_at, provider_id)
     where (m.account_id, m.referral_id, m.campaign_id, m.day)
         = (u.account_id, u.referral_id, u.campaign_id, u.day) and m.state <> 'queued'",
);

/// Saves a batch that contains only accepted messages, the common case, with the result that [`mixed`] would have.
async fn accepted(tx: &mut PgConnection, all: &[Settled<'_>], now: Timestamp) -> Result<(), Error> {
    let rows = all.iter().filter_map(|(claimed, outcome, _)| match outcome {
        Outcome::Accepted { provider_id, .. } => Some(AcceptedRow {
            account_id: claimed.key.target.account,
            campaign_id: claimed.key.target.campaign,
            referral_id: claimed.key.target.referral,
            day: claimed.key.day,
            sent_at: now.max(claimed.claimed_at),
            provider_id,
        }),
        Outcome::Refused(_) | Outcome::Unknown { .. } => None,
    });
    SAVE_ACCEPTED.query(rows).execute(tx).await.map(drop).map_err(Error::during("save accepted messages"))
}

columns! {
    /// A message and its outcome. `moves` is false where a receipt is ahead; `abandoned` is the state for a target that
    /// ended meanwhile.
    struct OutcomeRow<'a> {
        account_id: AccountId,
        campaign_id: CampaignId,
        referral_id: ReferralId,
        day: i16,
        state: &'a str,
        sent_at: Option<Timestamp>,
        provider_id: Option<&'a str>,
        error: Option<&'a str>,
        back: bool,
        counts: bool,
        moves: bool,
        abandoned: Option<&'static str>,
    }
}

const SAVE_MIXED: Batch<OutcomeRow<'_>> = Batch::of(include_str!("message_rows_mixed.sql"));

/// Saves the messages' states. Where a receipt is already ahead, saves only what it does not contain.
///
/// A message that is to be attempted again gets two states: the one that follows, and the one for a target that ended
/// meanwhile.
async fn mixed(tx: &mut PgConnection, all: &[Settled<'_>], now: Timestamp) -> Result<(), Error> {
    let known = lock_messages(tx, all.iter().map(|(claimed, ..)| claimed.key)).await?;
    let rows = all.iter().filter_map(|(claimed, outcome, settlement)| {
        let before = known.get(&claimed.key).copied()?;
        let after = step(before, settlement.event).ok();
        // These messages are settled by another outcome, which this one repeats or contradicts.
        if after.is_none() && matches!(before, State::Queued | State::Uncertain) {
            return None;
        }
        let (provider_id, error) = match outcome {
            Outcome::Accepted { provider_id, .. } => (Some(provider_id.as_str()), None),
            Outcome::Refused(Refusal { error, .. }) | Outcome::Unknown { error } => (None, Some(error.as_str())),
        };
        Some(OutcomeRow {
            account_id: claimed.key.target.account,
            campaign_id: claimed.key.target.campaign,
            referral_id: claimed.key.target.referral,
            day: claimed.key.day,
            state: after.unwrap_or(before).as_str(),
            sent_at: matches!(outcome, Outcome::Accepted { .. }).then_some(now.max(claimed.claimed_at)),
            provider_id,
            error,
            back: settlement.give_back,
            counts: settlement.counts,
            moves: after.is_some(),
            abandoned: after.and_then(|state| step(state, Event::TargetEnded).ok()).map(State::as_str),
        })
    });
    SAVE_MIXED.query(rows).execute(tx).await.map(drop).map_err(Error::during("save outcomes"))
}
