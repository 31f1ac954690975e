//! A person as template input, with the account they belong to.

use serde_json::Value;

use super::{Error, Store};
use crate::core::dispatch::program::{Recipient, Referrer};
use crate::core::domain::{AccountId, Language, Zone};
use crate::store::rows::{decode, zone};
use crate::store::send::lane_rows::{RecipientRow, recipient_columns};

/// The facts from which the messages to one referral are rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correspondence {
    pub recipient: Recipient,
    /// The account's external id.
    pub account: String,
    name: String,
    language: Option<Language>,
    zone: Zone,
}

impl Correspondence {
    pub fn referrer(&self) -> Referrer<'_> {
        Referrer { name: &self.name, language: self.language.as_ref(), zone: &self.zone }
    }
}

/// An account in whose name messages are sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Author {
    pub id: AccountId,
    /// The optional columns of the account's export.
    pub attributes: Value,
    name: String,
    language: Option<Language>,
    zone: Zone,
}

impl Author {
    pub fn referrer(&self) -> Referrer<'_> {
        Referrer { name: &self.name, language: self.language.as_ref(), zone: &self.zone }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    recipient: RecipientRow,
    account: String,
    account_name: String,
    account_language: Option<String>,
    timezone: String,
}

impl Store {
    /// Returns the person with this external id, with their account.
    pub async fn correspondence(&self, referral: &str) -> Result<Option<Correspondence>, Error> {
        const OPERATION: &str = "read a person and their account";
        let row: Option<Row> = sqlx::query_as(concat!(
            "select ",
            recipient_columns!(),
            ", a.external_id as account, a.name as account_name, a.language as account_language, a.timezone
             from referral r join account a on a.id = r.account_id where r.external_id = $1"
        ))
        .bind(referral)
        .fetch_optional(&self.pool)
        .await
        .map_err(Error::during(OPERATION))?;
        let correspondence = |row: Row| {
            Ok(Correspondence {
                recipient: row.recipient.recipient()?,
                account: row.account,
                name: row.account_name,
                language: row.account_language.and_then(|tag| Language::parse(&tag).ok()),
                zone: zone(&row.timezone)?,
            })
        };
        row.map(correspondence).transpose().map_err(decode(OPERATION))
    }

    /// Returns the account with this external id.
    pub async fn author(&self, account: &str) -> Result<Option<Author>, Error> {
        const OPERATION: &str = "read an account";
        let row: Option<(i32, String, Option<String>, String, Value)> =
            sqlx::query_as("select id, name, language, timezone, attributes from account where external_id = $1")
                .bind(account)
                .fetch_optional(&self.pool)
                .await
                .map_err(Error::during(OPERATION))?;
        let author = |(id, name, language, timezone, attributes): (i32, _, Option<String>, String, _)| {
            let language = language.and_then(|tag| Language::parse(&tag).ok());
            Ok(Author { id: AccountId(id), attributes, name, language, zone: zone(&timezone)? })
        };
        row.map(author).transpose().map_err(decode(OPERATION))
    }
}
