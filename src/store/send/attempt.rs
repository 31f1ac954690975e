//! Attempts: the rows that record a hand-over in progress, and the leases that give this process the messages.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sqlx::postgres::PgArguments;
use sqlx::{Arguments, PgConnection};

use super::terms::Terms;
use crate::core::dispatch::OutgoingMessage;
use crate::core::dispatch::lane::{Attempt, Lane, Selection, Send};
use crate::core::domain::{AccountId, MessageKey, NaiveDate, TargetKey, Timestamp};
use crate::store::Error;
use crate::store::keys::Keys;
use crate::store::rows::message_key;

/// A message of a selection, with its lane.
type Selected<'a> = (&'a Lane, &'a Selection, &'a Send);

/// Makes the attempts durable. A message attempted before is claimed only if it is `queued` again after a certain
/// failure; any other stays unchanged and is not claimed.
pub(super) async fn begin(
    tx: &mut PgConnection,
    draws: &[(&Lane, Selection)],
    revision: i32,
    terms: Terms<'_>,
) -> Result<Vec<OutgoingMessage>, Error> {
    let all: Vec<Selected<'_>> =
        draws.iter().flat_map(|(lane, draw)| draw.sends.iter().map(move |send| (*lane, draw, send))).collect();
    let (first, further) = all.iter().copied().partition(|(.., send)| send.attempt == Attempt::First);
    let mut attempts = first_attempts(tx, first, revision).await?;
    attempts.extend(further_attempts(tx, further, revision).await?);
    let leases = lease(tx, &attempts, terms).await?;
    let claimed = all.into_iter().filter_map(|(lane, draw, send)| {
        let lease = if terms.apart { leases.get(&lane.account) } else { leases.values().next() };
        Some(OutgoingMessage {
            key: send.key,
            lease: *lease?,
            phone: send.phone.clone(),
            email: send.email.clone(),
            channel: send.channel.clone(),
            content: send.content.clone(),
            in_conversation: false,
            attempts: *attempts.get(&send.key)?,
            failed_days: send.failed_days,
            last: send.next.is_none(),
            quota_date: draw.today,
            claimed_at: draw.at,
            policy: Arc::clone(&lane.policy),
        })
    });
    Ok(claimed.collect())
}

/// Messages as columns.
#[derive(Debug, Default)]
struct Rows<'a> {
    keys: Keys,
    days: Vec<i16>,
    phones: Vec<&'a str>,
    languages: Vec<&'a str>,
    texts: Vec<&'a str>,
    quota_date: Vec<NaiveDate>,
    due_at: Vec<Timestamp>,
    queued_at: Vec<Timestamp>,
}

/// The columns of [`Rows`] in bind order, and the revision.
macro_rules! sends {
    () => {
        "unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[], $5::text[], $6::text[], $7::text[], $8::date[],
                $9::timestamptz[], $10::timestamptz[])
           as s (account_id, campaign_id, referral_id, day, phone, language, text, quota_date, due_at, queued_at)"
    };
}

impl<'a> Rows<'a> {
    fn of(drawn: &[Selected<'a>]) -> Self {
        let mut rows = Self::default();
        for (_, draw, send) in drawn {
            rows.keys.push(send.key.target);
            rows.days.push(send.key.day);
            rows.phones.push(send.phone.dialled());
            rows.languages.push(send.content.language.as_str());
            rows.texts.push(send.content.text.as_str());
            rows.quota_date.push(draw.today);
            rows.due_at.push(send.due_at);
            rows.queued_at.push(draw.at);
        }
        rows
    }

    /// Returns the values in the order of [`sends`], with `revision` last.
    fn arguments(self, revision: i32) -> Result<PgArguments, sqlx::Error> {
        let mut all = PgArguments::default();
        all.add(self.keys.accounts).map_err(sqlx::Error::Encode)?;
        all.add(self.keys.campaigns).map_err(sqlx::Error::Encode)?;
        all.add(self.keys.referrals).map_err(sqlx::Error::Encode)?;
        all.add(self.days).map_err(sqlx::Error::Encode)?;
        all.add(self.phones).map_err(sqlx::Error::Encode)?;
        all.add(self.languages).map_err(sqlx::Error::Encode)?;
        all.add(self.texts).map_err(sqlx::Error::Encode)?;
        all.add(self.quota_date).map_err(sqlx::Error::Encode)?;
        all.add(self.due_at).map_err(sqlx::Error::Encode)?;
        all.add(self.queued_at).map_err(sqlx::Error::Encode)?;
        all.add(revision).map_err(sqlx::Error::Encode)?;
        Ok(all)
    }
}

/// Inserts first attempts in key order. The holder of the lanes has checked that no such rows exist; if that is wrong,
/// the insert fails and nothing is written.
async fn first_attempts(
    tx: &mut PgConnection,
    mut drawn: Vec<Selected<'_>>,
    revision: i32,
) -> Result<HashMap<MessageKey, u16>, Error> {
    if drawn.is_empty() {
        return Ok(HashMap::new());
    }
    drawn.sort_unstable_by_key(|(.., send)| {
        let MessageKey { target: TargetKey { account, campaign, referral }, day } = send.key;
        (account, referral, campaign, day)
    });
    let arguments = Rows::of(&drawn).arguments(revision).map_err(Error::during("write the attempts down"))?;
    sqlx::query_with(
        concat!(
            "insert into message (account_id, referral_id, campaign_id, day, state, attempts, quota_date, phone, language,
                                  text, revision_id, due_at, queued_at)
             select account_id, referral_id, campaign_id, day, 'sending', 1, quota_date, phone, language, text, $11, due_at,
                    queued_at from ",
            sends!()
        ),
        arguments,
    )
    .execute(tx)
    .await
    .map_err(Error::during("save the attempts"))?;
    Ok(drawn.into_iter().map(|(.., send)| (send.key, 1)).collect())
}

/// Claims the earlier attempts that are due for a retry.
async fn further_attempts(
    tx: &mut PgConnection,
    drawn: Vec<Selected<'_>>,
    revision: i32,
) -> Result<Vec<(MessageKey, u16)>, Error> {
    if drawn.is_empty() {
        return Ok(Vec::new());
    }
    let arguments = Rows::of(&drawn).arguments(revision).map_err(Error::during("write the attempts down"))?;
    let rows: Vec<(i32, i32, i64, i16, i16)> = sqlx::query_as_with(
        concat!(
            "update message m
             set state = 'sending', attempts = m.attempts + 1, quota_date = s.quota_date, phone = s.phone,
                 language = s.language, text = s.text, revision_id = $11, error = null
             from ",
            sends!(),
            " where (m.account_id, m.referral_id, m.campaign_id, m.day)
                  = (s.account_id, s.referral_id, s.campaign_id, s.day) and m.state = 'queued'
             returning m.account_id, m.campaign_id, m.referral_id, m.day, m.attempts"
        ),
        arguments,
    )
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
    let keys: Keys = attempts.keys().map(|key| key.target).collect();
    let leases: Vec<(i32, i64)> = sqlx::query_as(
        "insert into lease (until, account_ids, campaign_ids, referral_ids, days)
         select $5, array_agg(account_id), array_agg(campaign_id), array_agg(referral_id), array_agg(day)
         from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[]) as k (account_id, campaign_id, referral_id, day)
         group by case when $6 then account_id end
         returning account_ids[1], id",
    )
    .bind(keys.accounts)
    .bind(keys.campaigns)
    .bind(keys.referrals)
    .bind(attempts.keys().map(|key| key.day).collect::<Vec<_>>())
    .bind(terms.until)
    .bind(terms.apart)
    .fetch_all(tx)
    .await
    .map_err(Error::during("lease the messages"))?;
    Ok(leases.into_iter().map(|(account, lease)| (AccountId(account), lease)).collect())
}
