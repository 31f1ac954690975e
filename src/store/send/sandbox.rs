//! Messages handed to the sandbox channel.

use crate::core::dispatch::OutgoingMessage;
use crate::core::domain::Timestamp;
use crate::store::keys::Keys;
use crate::store::{Error, Store};

impl Store {
    /// Records a batch of hand-overs. Returns their new ids, in the same order.
    pub async fn sandbox_accept(&self, messages: &[OutgoingMessage], now: Timestamp) -> Result<Vec<i64>, Error> {
        let keys: Keys = messages.iter().map(|message| message.key.target).collect();
        sqlx::query_scalar(
            "insert into sandbox_message (account_id, campaign_id, referral_id, day, phone, text, received_at)
             select u.account_id, u.campaign_id, u.referral_id, u.day, u.phone, u.text, $7
             from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[], $5::text[], $6::text[]) with ordinality
                  as u (account_id, campaign_id, referral_id, day, phone, text, place)
             order by u.place returning id",
        )
        .bind(keys.accounts)
        .bind(keys.campaigns)
        .bind(keys.referrals)
        .bind(messages.iter().map(|message| message.key.day).collect::<Vec<_>>())
        .bind(messages.iter().map(|message| message.phone.dialled()).collect::<Vec<_>>())
        .bind(messages.iter().map(|message| message.content.text.as_str()).collect::<Vec<_>>())
        .bind(now)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("hand messages to the sandbox"))
    }
}
