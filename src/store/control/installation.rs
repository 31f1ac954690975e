//! Installation id: distinguishes this database from others that use the same provider account.

use std::collections::HashSet;

use crate::core::domain::{InstallationId, MessageKey};
use crate::store::columns::Batch;
use crate::store::keys::MessageKeyRow;
use crate::store::rows::{decode, message_key, strange};
use crate::store::{Error, Store};

const WITHOUT_ID: Batch<MessageKeyRow> = Batch::of(
    "select m.account_id, m.campaign_id, m.referral_id, m.day
     from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[]) as u (account_id, campaign_id, referral_id, day)
     join message m on (m.account_id, m.referral_id, m.campaign_id, m.day)
                     = (u.account_id, u.referral_id, u.campaign_id, u.day)
     where m.queued_at < (select made_at from installation)",
);

impl Store {
    /// Returns the permanent installation id of this database.
    pub async fn installation_id(&self) -> Result<InstallationId, Error> {
        const OPERATION: &str = "read the id of this installation";
        let known: Option<String> = sqlx::query_scalar("select id from installation")
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::during(OPERATION))?;
        let installation_id = match known {
            Some(installation_id) => installation_id,
            // A concurrent caller gets the id that the first one inserted.
            None => sqlx::query_scalar(
                "insert into installation as i (id, made_at)
                 values (left(replace(gen_random_uuid()::text, '-', ''), 8), $1)
                 on conflict (only_row) do update set id = i.id returning id",
            )
            .bind(self.now().await?.0)
            .fetch_one(&self.pool)
            .await
            .map_err(Error::during(OPERATION))?,
        };
        InstallationId::parse(&installation_id)
            .ok_or_else(|| strange("an installation id", &installation_id))
            .map_err(decode(OPERATION))
    }

    /// Returns the messages that were queued before the database had an installation id.
    pub(in crate::store) async fn without_installation_id(
        &self,
        messages: &[MessageKey],
    ) -> Result<HashSet<MessageKey>, Error> {
        let rows: Vec<(i32, i32, i64, i16)> = WITHOUT_ID
            .query_as(messages.iter().copied().map(MessageKeyRow::from))
            .fetch_all(&self.pool)
            .await
            .map_err(Error::during("find messages without our id"))?;
        Ok(rows.into_iter().map(message_key).collect())
    }
}
