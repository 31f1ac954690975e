//! One person as texts speak of them, and the account they belong to.

use super::{Error, Store};
use crate::domain::{Language, Zone};
use crate::program::{Recipient, Referrer};
use crate::store::lane_rows::{RecipientRow, recipient_columns};
use crate::store::rows::{decode, zone};

/// What the messages to one referral are made of.
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
    /// The person with this external id, and their account.
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
}
