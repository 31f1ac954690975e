//! Messages handed to the sandbox channel.

use std::time::Duration;

use crate::core::dispatch::OutgoingMessage;
use crate::core::domain::{AccountId, CampaignId, ReferralId, Timestamp};
use crate::store::columns::{Batch, columns};
use crate::store::{Error, Store};

/// The wait for a database connection. It is much shorter than the time that a hand-over may take.
const WAIT: Duration = Duration::from_secs(5);

columns! {
    /// A message handed over.
    struct SandboxRow<'a> {
        account_id: AccountId,
        campaign_id: CampaignId,
        referral_id: ReferralId,
        day: i16,
        phone: &'a str,
        text: &'a str,
    }
}

const ACCEPT: Batch<SandboxRow<'_>> = Batch::of(
    "insert into sandbox_message (account_id, campaign_id, referral_id, day, phone, text, received_at)
     select u.account_id, u.campaign_id, u.referral_id, u.day, u.phone, u.text, $7
     from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[], $5::text[], $6::text[]) with ordinality
          as u (account_id, campaign_id, referral_id, day, phone, text, place)
     order by u.place returning id",
);

impl Store {
    /// Records a batch of hand-overs. Returns their new ids, in the same order, or `None` if no connection was free: then
    /// certainly nothing was recorded.
    pub async fn sandbox_accept(
        &self,
        messages: &[OutgoingMessage],
        now: Timestamp,
    ) -> Result<Option<Vec<i64>>, Error> {
        let Ok(Ok(mut db)) = tokio::time::timeout(WAIT, self.pool.acquire()).await else { return Ok(None) };
        let rows = messages.iter().map(|message| SandboxRow {
            account_id: message.key.target.account,
            campaign_id: message.key.target.campaign,
            referral_id: message.key.target.referral,
            day: message.key.day,
            phone: message.phone.dialled(),
            text: message.content.text.as_str(),
        });
        let accepted = ACCEPT.query_scalar(rows).bind(now).fetch_all(&mut *db).await;
        accepted.map(Some).map_err(Error::during("hand messages to the sandbox"))
    }
}
