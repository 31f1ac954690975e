//! All stored data on one person, by phone, across all accounts.

use serde::Serialize;
use serde_json::Value;

use super::messages::message_columns;
use super::{Error, Held, Message, Standing, Store, Suppression};
use crate::core::domain::{NaiveDate, Phone, Timestamp};
use crate::core::lifecycle::target::Exit;
use crate::store::rows::{decode, strange};

const OPERATION: &str = "read the data of a person";

/// The stored data on one person: `contact export`. Nothing is masked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contact {
    pub phone: Phone,
    /// The instant of the last erasure of the person's data.
    pub erased_at: Option<Timestamp>,
    /// The suppression of the phone, if there is one.
    pub suppression: Option<Suppression>,
    /// The person's replies that await review.
    pub holds: Vec<Held>,
    pub referrals: Vec<Fact>,
    pub targets: Vec<Stay>,
    pub messages: Vec<Message>,
}

/// An imported row of the person.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow)]
pub struct Fact {
    pub account: String,
    /// The referral's external id.
    pub referral: String,
    /// True for the row in use among several rows of one account.
    pub is_current: bool,
    pub name: String,
    /// The number that messages go to, if the export writes the phone otherwise than in its normal form.
    pub dialled: Option<String>,
    pub email: Option<String>,
    pub language: Option<String>,
    pub country: String,
    pub gender: Option<String>,
    pub profession: Option<String>,
    pub birth_date: Option<NaiveDate>,
    pub registered_at: Timestamp,
    pub paid_at: Option<Timestamp>,
    pub consent: Option<String>,
    pub consent_source: Option<String>,
    pub consent_at: Option<Timestamp>,
    pub timezone: Option<String>,
    pub attributes: Value,
    /// The instant to which the row's data refers.
    pub as_of: Timestamp,
}

/// The person's target in one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stay {
    /// `campaign/account/referral`.
    pub id: String,
    pub state: Standing,
    pub exit_reason: Option<Exit>,
    pub day: i16,
    pub enrolled_at: Timestamp,
    pub next_due_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    state: String,
    exit_reason: Option<String>,
    day: i16,
    enrolled_at: Timestamp,
    due_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

impl Row {
    fn stay(self) -> Result<Stay, sqlx::Error> {
        let Self { id, state, exit_reason, day, enrolled_at, due_at, ended_at } = self;
        let state = Standing::parse(&state).ok_or_else(|| strange("the state of a target", &state))?;
        let exit = |text: String| Exit::parse(&text).ok_or_else(|| strange("an exit reason", &text));
        let exit_reason = exit_reason.map(exit).transpose()?;
        Ok(Stay { id, state, exit_reason, day, enrolled_at, next_due_at: due_at, ended_at })
    }
}

impl Store {
    /// Returns all stored data on the person with `phone`.
    pub async fn contact(&self, phone: &Phone) -> Result<Contact, Error> {
        let erased_at = self.erased_at(phone).await?;
        let mut tx = self.looking().await?;
        let suppression = sqlx::query_as(
            "select phone, source, actor, reason, said, suppressed_at from suppression where phone = $1",
        )
        .bind(phone.as_str())
        .fetch_optional(&mut *tx)
        .await
        .map_err(Error::during(OPERATION))?;
        let holds = sqlx::query_as(
            "select coalesce(a.external_id, h.account_id::text) as account, h.phone, h.text, h.held_at
             from person_hold h left join account a on a.id = h.account_id where h.phone = $1 order by 1",
        )
        .bind(phone.as_str())
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during(OPERATION))?;
        let referrals = sqlx::query_as(
            "select a.external_id as account, r.external_id as referral, r.is_current, r.name, r.dialled, r.email, r.language, r.country,
                    r.gender, r.profession, r.birth_date, r.registered_at, r.paid_at, r.consent, r.consent_source,
                    r.consent_at, r.timezone, r.attributes, r.as_of
             from referral r join account a on a.id = r.account_id where r.phone = $1 order by 1, 2",
        )
        .bind(phone.as_str())
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during(OPERATION))?;
        let targets: Vec<Row> = sqlx::query_as(
            "select concat_ws('/', c.name, a.external_id, r.external_id) as id, t.state, t.exit_reason, t.day,
                    t.enrolled_at, t.due_at, t.ended_at
             from referral r join account a on a.id = r.account_id join run n on n.account_id = r.account_id
             join target t on (t.account_id, t.campaign_id, t.referral_id) = (n.account_id, n.campaign_id, r.id)
             join campaign c on c.id = t.campaign_id where r.phone = $1 order by t.enrolled_at, 1",
        )
        .bind(phone.as_str())
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during(OPERATION))?;
        let messages = sqlx::query_as(concat!(
            "select ",
            message_columns!(),
            " from referral r join account a on a.id = r.account_id
             join message m on m.account_id = r.account_id and m.referral_id = r.id
             join campaign c on c.id = m.campaign_id where r.phone = $1 order by m.queued_at, 1"
        ))
        .bind(phone.as_str())
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during(OPERATION))?;
        let targets = targets.into_iter().map(Row::stay).collect::<Result<_, _>>().map_err(decode(OPERATION))?;
        Ok(Contact { phone: phone.clone(), erased_at, suppression, holds, referrals, targets, messages })
    }
}
