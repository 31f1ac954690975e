//! Attempts: the rows that record a hand-over in progress, and the leases that give this process the messages.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sqlx::PgConnection;
use sqlx::types::Json;

use super::terms::Terms;
use crate::core::dispatch::OutgoingMessage;
use crate::core::dispatch::lane::{Attempt, Lane, Selection, Send};
use crate::core::domain::{AccountId, CampaignId, MessageKey, NaiveDate, ReferralId, TargetKey, Timestamp};
use crate::core::manifest::desired::TemplateMessage;
use crate::store::Error;
use crate::store::columns::{Batch, columns};
use crate::store::keys::MessageKeyRow;
use crate::store::rows::message_key;

/// A message of a selection, with its lane.
type Selected<'a> = (&'a Lane, &'a Selection, &'a Send);

/// Makes the attempts durable. A message attempted before is claimed only if it is `queued` again after a certain
/// failure; any other stays unchanged and is not claimed.
pub(super) async fn begin(
    tx: &mut PgConnection,
    selections: &[(&Lane, Selection)],
    revision: i32,
    terms: Terms<'_>,
) -> Result<Vec<OutgoingMessage>, Error> {
    let all: Vec<Selected<'_>> = selections
        .iter()
        .flat_map(|(lane, selection)| selection.sends.iter().map(move |send| (*lane, selection, send)))
        .collect();
    let (first, further) = all.iter().copied().partition(|(.., send)| send.attempt == Attempt::First);
    let mut attempts = first_attempts(tx, first, revision).await?;
    attempts.extend(further_attempts(tx, further, revision).await?);
    let leases = lease(tx, &attempts, terms).await?;
    let claimed = all.into_iter().filter_map(|(lane, selection, send)| {
        let lease = if terms.apart { leases.get(&lane.account) } else { leases.values().next() };
        Some(OutgoingMessage {
            key: send.key,
            lease: *lease?,
            phone: send.phone.clone(),
            email: send.email.clone(),
            channel: send.channel.clone(),
            content: send.content.clone(),
            in_conversation: send.in_conversation,
            attempts: *attempts.get(&send.key)?,
            failed_days: send.failed_days,
            last: send.next.is_none(),
            quota_date: selection.today,
            claimed_at: selection.at,
            policy: Arc::clone(&lane.policy),
        })
    });
    Ok(claimed.collect())
}

columns! {
    /// An attempt of a message.
    struct AttemptRow<'a> {
        account_id: AccountId,
        campaign_id: CampaignId,
        referral_id: ReferralId,
        day: i16,
        phone: &'a str,
        language: &'a str,
        text: &'a str,
        template: Option<Json<&'a TemplateMessage>>,
        quota_date: NaiveDate,
        due_at: Timestamp,
        queued_at: Timestamp,
    }
}

impl<'a> AttemptRow<'a> {
    /// Builds the row of what is handed over: a template in its language, or else the text of the day.
    fn of((_, selection, send): Selected<'a>) -> Self {
        let template = send.content.template.as_ref().filter(|_| send.as_template);
        let language = template.map_or(&send.content.language, |template| &template.language);
        Self {
            account_id: send.key.target.account,
            campaign_id: send.key.target.campaign,
            referral_id: send.key.target.referral,
            day: send.key.day,
            phone: send.phone.dialled(),
            language: language.as_str(),
            text: if template.is_some() { "" } else { &send.content.text },
            template: template.map(Json),
            quota_date: selection.today,
            due_at: send.due_at,
            queued_at: selection.at,
        }
    }
}

const SAVE_FIRST: Batch<AttemptRow<'_>> = Batch::of(include_str!("attempt_first.sql"));

const SAVE_FURTHER: Batch<AttemptRow<'_>> = Batch::of(include_str!("attempt_further.sql"));

const LEASE: Batch<MessageKeyRow> = Batch::of(
    "insert into lease (until, account_ids, campaign_ids, referral_ids, days)
     select $5, array_agg(account_id), array_agg(campaign_id), array_agg(referral_id), array_agg(day)
     from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[]) as k (account_id, campaign_id, referral_id, day)
     group by case when $6 then account_id end
     returning account_ids[1], id",
);

/// Inserts first attempts in key order. The holder of the lanes has checked that no such rows exist; if that is wrong,
/// the insert fails and nothing is written.
async fn first_attempts(
    tx: &mut PgConnection,
    mut selected: Vec<Selected<'_>>,
    revision: i32,
) -> Result<HashMap<MessageKey, u16>, Error> {
    if selected.is_empty() {
        return Ok(HashMap::new());
    }
    selected.sort_unstable_by_key(|(.., send)| {
        let MessageKey { target: TargetKey { account, campaign, referral }, day } = send.key;
        (account, referral, campaign, day)
    });
    let saved = SAVE_FIRST.query(selected.iter().copied().map(AttemptRow::of)).bind(revision).execute(tx).await;
    saved.map_err(Error::during("save the attempts"))?;
    Ok(selected.into_iter().map(|(.., send)| (send.key, 1)).collect())
}

/// Claims the earlier attempts that are due for a retry.
async fn further_attempts(
    tx: &mut PgConnection,
    selected: Vec<Selected<'_>>,
    revision: i32,
) -> Result<Vec<(MessageKey, u16)>, Error> {
    if selected.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(i32, i32, i64, i16, i16)> = SAVE_FURTHER
        .query_as(selected.into_iter().map(AttemptRow::of))
        .bind(revision)
        .fetch_all(tx)
        .await
        .map_err(Error::during("save further attempts"))?;
    let attempt = |(account, campaign, referral, day, attempts): (i32, i32, i64, i16, i16)| {
        (message_key((account, campaign, referral, day)), attempts.unsigned_abs())
    };
    Ok(rows.into_iter().map(attempt).collect())
}

/// Creates one lease for all of `attempts`, or one per lane, keyed by the account whose messages come first in it.
async fn lease(
    tx: &mut PgConnection,
    attempts: &HashMap<MessageKey, u16>,
    terms: Terms<'_>,
) -> Result<BTreeMap<AccountId, i64>, Error> {
    if attempts.is_empty() {
        return Ok(BTreeMap::new());
    }
    let leases: Vec<(i32, i64)> = LEASE
        .query_as(attempts.keys().copied().map(MessageKeyRow::from))
        .bind(terms.until)
        .bind(terms.apart)
        .fetch_all(tx)
        .await
        .map_err(Error::during("lease the messages"))?;
    Ok(leases.into_iter().map(|(account, lease)| (AccountId(account), lease)).collect())
}
