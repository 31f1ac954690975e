//! Opt-out confirmations: sent at most once per STOP, outside of pace and caps, to people who are already suppressed.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::Value;
use sqlx::PgConnection;

use crate::core::consent::confirmation;
use crate::core::dispatch::OutgoingMessage;
use crate::core::dispatch::program::{Rendered, SpokenBy};
use crate::core::domain::{AccountId, CampaignId, Language, MessageKey, Name, Phone, ReferralId, TargetKey, Timestamp};
use crate::core::lifecycle::outcome::{ATTEMPTS, Outcome, Reaction};
use crate::core::manifest::desired::policy::{AccountPolicy, Policies};
use crate::store::columns::{Batch, columns};
use crate::store::rows::decode;
use crate::store::{Error, Store};

/// The time after a person's message during which it can be answered; a later confirmation is of no use.
const WINDOW: TimeDelta = TimeDelta::hours(24);
/// The delay before a retry, when the provider does not give one.
const PAUSE: TimeDelta = TimeDelta::minutes(1);
/// The batch limit of a claim.
const AT_ONCE: i64 = 50;
/// An id that no campaign has: the provider returns such a key, and it matches no message.
const NO_CAMPAIGN: CampaignId = CampaignId(0);
const NO_DAY: i16 = 0;
/// The language of people without a known one.
const USUAL: &str = "en";

columns! {
    /// A STOP to be confirmed; `sender` is the number to which the person wrote.
    pub(super) struct OptedOut<'a> {
        account_id: AccountId,
        phone: &'a str,
        channel: &'a str,
        sender: Option<&'a str>,
        at: Timestamp,
    }
}

const ASK: Batch<OptedOut<'_>> = Batch::of(
    "insert into confirmation (account_id, phone, channel, sender, language, heard_at, due_at)
     select u.account_id, u.phone, u.channel, u.sender, coalesce(r.language, a.language), u.at, $6
     from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
          as u (account_id, phone, channel, sender, at)
     join account a on a.id = u.account_id
     left join referral r on (r.account_id, r.phone) = (u.account_id, u.phone) and r.is_current",
);

/// Queues confirmations for these people, in the transaction that records their STOP.
pub(super) async fn ask(tx: &mut PgConnection, stopped: Vec<OptedOut<'_>>, now: Timestamp) -> Result<(), Error> {
    if stopped.is_empty() {
        return Ok(());
    }
    let asked = ASK.query(stopped).bind(now).execute(tx).await;
    asked.map(drop).map_err(Error::during("save confirmations to send"))
}

/// Cancels the confirmations not sent yet to these phones.
pub(in crate::store) async fn withdraw(tx: &mut PgConnection, phones: &[&str]) -> Result<(), Error> {
    if phones.is_empty() {
        return Ok(());
    }
    sqlx::query("delete from confirmation where phone = any($1)")
        .bind(phones)
        .execute(tx)
        .await
        .map_err(Error::during("withdraw confirmations"))?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    account_id: i32,
    phone: String,
    channel: String,
    sender: Option<String>,
    language: Option<String>,
    attempts: i32,
    external_id: String,
    labels: Value,
}

impl Store {
    /// Claims due confirmations. A process that dies before it [settles](Store::settle_confirmations) them never sends
    /// them again: no confirmation is sent twice.
    pub async fn claim_confirmations(
        &self,
        policies: &Policies,
        now: Timestamp,
    ) -> Result<Vec<OutgoingMessage>, Error> {
        const OPERATION: &str = "claim confirmations";
        let rows: Vec<Row> = sqlx::query_as(include_str!("confirmation_claim.sql"))
            .bind(now)
            .bind(AT_ONCE)
            .bind(now - WINDOW)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::during(OPERATION))?;
        rows.into_iter().map(|row| row.claimed(policies, now)).collect::<Result<_, _>>().map_err(decode(OPERATION))
    }

    /// Saves the outcomes of confirmations; those that certainly did not leave are retried a few times.
    pub async fn settle_confirmations(
        &self,
        outcomes: &[(OutgoingMessage, Outcome)],
        now: Timestamp,
    ) -> Result<(), Error> {
        let again = |(claimed, outcome): &(OutgoingMessage, Outcome)| match outcome {
            Outcome::Refused(refusal) if claimed.attempts < ATTEMPTS => match refusal.reaction {
                Reaction::Retry { after } | Reaction::Throttle { after } => Some(now + after.unwrap_or(PAUSE)),
                Reaction::SkipDay
                | Reaction::FailDay
                | Reaction::Unfit
                | Reaction::Leave
                | Reaction::NoAddress
                | Reaction::Suppress
                | Reaction::PauseRun
                | Reaction::PauseAccount
                | Reaction::PauseChannel => None,
            },
            Outcome::Accepted { .. } | Outcome::Refused(_) | Outcome::Unknown { .. } => None,
        };
        sqlx::query(
            "with told as (
               select * from unnest($1::bigint[], $2::timestamptz[]) as u (id, again)),
             over as (delete from confirmation c using told where c.id = told.id and told.again is null)
             update confirmation c set due_at = told.again from told where c.id = told.id and told.again is not null",
        )
        .bind(outcomes.iter().map(|(claimed, _)| claimed.key.target.referral.0).collect::<Vec<_>>())
        .bind(outcomes.iter().map(again).collect::<Vec<_>>())
        .execute(&self.pool)
        .await
        .map_err(Error::during("save the outcomes of confirmations"))?;
        Ok(())
    }
}

impl Row {
    /// Builds a message of no campaign, with the confirmation's number in place of a referral id.
    fn claimed(self, policies: &Policies, now: Timestamp) -> Result<OutgoingMessage, sqlx::Error> {
        let language = |tag: &str| Language::parse(tag).map_err(|error| sqlx::Error::Decode(error.into()));
        let language = language(self.language.as_deref().unwrap_or(USUAL)).or_else(|_| language(USUAL))?;
        let target =
            TargetKey { account: AccountId(self.account_id), campaign: NO_CAMPAIGN, referral: ReferralId(self.id) };
        let channel = Name::parse(&self.channel).map_err(|error| sqlx::Error::Decode(error.into()))?;
        let policy = policies.of(&self.external_id, &self.labels);
        let policy = match self.sender {
            Some(sender) => Arc::new(AccountPolicy { sender: Some(sender), ..AccountPolicy::clone(&policy) }),
            None => policy,
        };
        Ok(OutgoingMessage {
            key: MessageKey { target, day: NO_DAY },
            lease: 0,
            phone: Phone::trusted(self.phone),
            email: None,
            channel: Some(channel),
            content: Rendered {
                text: confirmation(&language).to_owned(),
                language,
                spoken_by: SpokenBy::Recipient,
                subject: None,
                media: Vec::new(),
                template: None,
            },
            in_conversation: true,
            attempts: u16::try_from(self.attempts).unwrap_or(u16::MAX),
            failed_days: 0,
            last: true,
            quota_date: now.date_naive(),
            claimed_at: now,
            policy,
        })
    }
}
