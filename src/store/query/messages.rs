//! Messages as users see them.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Error, PAGE, Page, Store, Wanted};
use crate::core::domain::Timestamp;
use crate::core::lifecycle::message::State;
use crate::core::manifest::desired::TemplateMessage;

/// A message: `get messages -o json`. Its phone is unmasked for scripts; tables mask it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, sqlx::FromRow)]
pub struct Message {
    /// `campaign/account/referral/day`.
    pub id: String,
    pub campaign: String,
    pub account: String,
    pub referral: String,
    pub day: i16,
    #[sqlx(try_from = "String")]
    pub state: State,
    pub phone: String,
    /// The language of the template, if it went as one; else of the text.
    pub language: String,
    /// The text that was sent; empty if a template was.
    pub text: String,
    /// The WhatsApp template that was sent, with its values.
    #[sqlx(json(nullable))]
    pub template: Option<TemplateMessage>,
    /// Hand-overs that began, except those that the provider postponed because the sender was too fast or had to pause.
    pub attempts: i16,
    pub provider_id: Option<String>,
    /// The channel's last error, if it refused the message.
    pub error: Option<String>,
    pub queued_at: Timestamp,
    pub sent_at: Option<Timestamp>,
    pub delivered_at: Option<Timestamp>,
    pub read_at: Option<Timestamp>,
}

impl Message {
    /// Returns the content in words: the template with its values, or the text.
    pub fn content(&self) -> String {
        self.template.as_ref().map_or_else(|| self.text.clone(), ToString::to_string)
    }
}

/// `from message m` with the conditions of [`Wanted`] as `$1` to `$5`.
macro_rules! wanted_messages {
    () => {
        " from message m
          where ($1::text is null or m.campaign_id = any(array(select id from campaign where name = $1)))
            and ($2::text is null or m.account_id = (select id from account where external_id = $2))
            and ($3::text is null or (m.account_id = (select account_id from referral where external_id = $3)
                                      and m.referral_id = (select id from referral where external_id = $3)))
            and ($4::text is null or m.state = $4) and ($5::smallint is null or m.day = $5)"
    };
}

/// The columns of [`Message`] from `message m`, `campaign c`, `account a` and `referral r`.
macro_rules! message_columns {
    () => {
        "concat_ws('/', c.name, a.external_id, r.external_id, m.day) as id, c.name as campaign, a.external_id as account,
         r.external_id as referral, m.day, m.state, m.phone, m.language, m.text, m.template, m.attempts, m.provider_id, m.error,
         m.queued_at, m.sent_at, m.delivered_at, m.read_at"
    };
}
pub(super) use {message_columns, wanted_messages};

/// The query for messages in queueing order; `$6` is the limit.
macro_rules! messages_in_order {
    () => {
        concat!(
            "with latest as (
               select m.*",
            wanted_messages!(),
            " order by m.queued_at desc, m.account_id desc, m.campaign_id desc, m.referral_id desc, m.day desc limit $6)
             select ",
            message_columns!(),
            " from latest m join campaign c on c.id = m.campaign_id join account a on a.id = m.account_id
             join referral r on r.account_id = m.account_id and r.id = m.referral_id
             order by m.queued_at, a.external_id, c.name, r.external_id, m.day"
        )
    };
}

impl Store {
    /// Passes all messages of `wanted` to `take`, a thousand at a time, in the order of [`Store::messages`], as of one
    /// snapshot. Ends early when `take` returns false.
    pub async fn pages_of_messages(
        &self,
        wanted: &Wanted,
        mut take: impl FnMut(Vec<Message>) -> bool,
    ) -> Result<(), Error> {
        const OPERATION: &str = "read the messages";
        let mut tx = self.looking().await?;
        sqlx::query(concat!("declare page no scroll cursor for ", messages_in_order!()))
            .bind(&wanted.campaign)
            .bind(&wanted.account)
            .bind(&wanted.referral)
            .bind(wanted.message.map(State::as_str))
            .bind(wanted.day)
            .bind(wanted.limit)
            .persistent(false)
            .execute(&mut *tx)
            .await
            .map_err(Error::during(OPERATION))?;
        loop {
            let rows: Vec<Message> =
                sqlx::query_as(PAGE).persistent(false).fetch_all(&mut *tx).await.map_err(Error::during(OPERATION))?;
            if rows.is_empty() || !take(rows) {
                return Ok(());
            }
        }
    }

    /// Returns messages of `wanted` (campaign, account, referral, message, day) in queueing order, then by account.
    ///
    /// With a limit, returns the latest.
    pub async fn messages(&self, wanted: &Wanted) -> Result<Page<Message>, Error> {
        let mut tx = self.looking().await?;
        let state = wanted.message.map(State::as_str);
        let rows: Vec<Message> = sqlx::query_as(messages_in_order!())
            .bind(&wanted.campaign)
            .bind(&wanted.account)
            .bind(&wanted.referral)
            .bind(state)
            .bind(wanted.day)
            .bind(wanted.limit)
            .persistent(false)
            .fetch_all(&mut *tx)
            .await
            .map_err(Error::during("read the messages"))?;
        if !Page::is_full(&rows, wanted.limit) {
            return Ok(Page::new(rows, None));
        }
        let total: i64 = sqlx::query_scalar(concat!("select count(*)", wanted_messages!()))
            .bind(&wanted.campaign)
            .bind(&wanted.account)
            .bind(&wanted.referral)
            .bind(state)
            .bind(wanted.day)
            .persistent(false)
            .fetch_one(&mut *tx)
            .await
            .map_err(Error::during("count the messages"))?;
        Ok(Page::new(rows, Some(total)))
    }
}
