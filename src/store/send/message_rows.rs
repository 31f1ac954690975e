//! Message changes from outcomes. After a person's erasure only the fact that they were sent a message is saved.

use sqlx::PgConnection;

use crate::core::dispatch::OutgoingMessage;
use crate::core::domain::Timestamp;
use crate::core::lifecycle::message::{State, step};
use crate::core::lifecycle::outcome::{Outcome, OutcomeEffects, Refusal};
use crate::store::Error;
use crate::store::keys::Keys;
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

/// Saves a batch that contains only accepted messages, the common case, with the result that [`mixed`] would have.
async fn accepted(tx: &mut PgConnection, all: &[Settled<'_>], now: Timestamp) -> Result<(), Error> {
    let mut keys = Keys::default();
    let (mut days, mut sent_at, mut ids) = (vec![], vec![], vec![]);
    for (claimed, outcome, _) in all {
        if let Outcome::Accepted { provider_id, .. } = outcome {
            keys.push(claimed.key.target);
            days.push(claimed.key.day);
            sent_at.push(now.max(claimed.claimed_at));
            ids.push(provider_id.as_str());
        }
    }
    sqlx::query(
        "update message m
         set state = case when m.state in ('sending', 'uncertain') then 'sent' else m.state end,
             error = case when m.state in ('sending', 'uncertain') then null else m.error end,
             sent_at = coalesce(m.sent_at, u.sent_at), provider_id = case when m.phone <> '' then u.provider_id end
         from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[], $5::timestamptz[], $6::text[])
              as u (account_id, campaign_id, referral_id, day, sent_at, provider_id)
         where (m.account_id, m.referral_id, m.campaign_id, m.day)
             = (u.account_id, u.referral_id, u.campaign_id, u.day) and m.state <> 'queued'",
    )
    .bind(keys.accounts)
    .bind(keys.campaigns)
    .bind(keys.referrals)
    .bind(days)
    .bind(sent_at)
    .bind(ids)
    .execute(tx)
    .await
    .map_err(Error::during("save what was accepted"))?;
    Ok(())
}

/// Saves the messages' states. Where a receipt is already ahead, saves only what it does not contain.
async fn mixed(tx: &mut PgConnection, all: &[Settled<'_>], now: Timestamp) -> Result<(), Error> {
    lock_messages(tx, all.iter().map(|(claimed, ..)| claimed.key)).await?;
    let mut keys = Keys::default();
    let (mut days, mut states, mut sent_at, mut ids, mut errors, mut backs, mut counts) =
        (vec![], vec![], vec![], vec![], vec![], vec![], vec![]);
    for (claimed, outcome, settlement) in all {
        let Ok(state) = step(State::Sending, settlement.event) else { continue };
        let (id, error) = match outcome {
            Outcome::Accepted { provider_id, .. } => (Some(provider_id.as_str()), None),
            Outcome::Refused(Refusal { error, .. }) | Outcome::Unknown { error } => (None, Some(error.as_str())),
        };
        keys.push(claimed.key.target);
        days.push(claimed.key.day);
        states.push(state.as_str());
        sent_at.push((state == State::Sent).then_some(now.max(claimed.claimed_at)));
        ids.push(id);
        errors.push(error);
        backs.push(settlement.give_back);
        counts.push(settlement.counts);
    }
    sqlx::query(include_str!("message_rows_mixed.sql"))
        .bind(keys.accounts)
        .bind(keys.campaigns)
        .bind(keys.referrals)
        .bind(days)
        .bind(states)
        .bind(sent_at)
        .bind(ids)
        .bind(errors)
        .bind(backs)
        .bind(counts)
        .execute(tx)
        .await
        .map_err(Error::during("save outcomes"))?;
    Ok(())
}
