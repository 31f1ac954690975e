//! A sample of people who match a campaign, without data that identifies them.

use serde::Serialize;

use crate::core::domain::{CampaignId, Name, Phone, Timestamp};
use crate::core::manifest::desired::Campaign;
use crate::store::columns::Batch;
use crate::store::runs::matcher::{BoundsRow, Lives, Matcher, Seeker, matching};
use crate::store::{Error, Store};

/// A matching person in a form that is fit for a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Match {
    /// The referral's external id.
    pub referral: String,
    pub account: String,
    /// The first letter of the name.
    pub initial: String,
    /// The phone with its middle digits masked.
    pub phone: String,
    pub country: Option<String>,
    pub language: Option<String>,
    pub registered_at: Timestamp,
}

impl Store {
    /// Returns the newest people who match `spec`, at most `most`.
    pub async fn sample_matches(
        &self,
        (name, campaign): (&Name, CampaignId),
        spec: &Campaign,
        seekers: &[Seeker],
        most: u32,
        now: Timestamp,
    ) -> Result<Vec<Match>, Error> {
        const OPERATION: &str = "read matching people";
        const NEWEST: Batch<BoundsRow> = Batch::of(concat!(
            "select r.external_id, (select a.external_id from account a where a.id = r.account_id),
                    left(r.name, 1), r.phone, r.country, r.language, r.registered_at",
            matching!(),
            " and d.room > 0 order by r.registered_at desc, r.id desc limit $19"
        ));
        type Row = (String, String, String, String, Option<String>, Option<String>, Timestamp);
        let mut db = self.pool.acquire().await.map_err(Error::during(OPERATION))?;
        let lives = Lives::of(&mut db, name, campaign).await?;
        let rows: Vec<Row> = Matcher::new(&lives, spec, seekers, now)
            .query(&NEWEST)
            .bind(i64::from(most))
            .persistent(false)
            .fetch_all(&mut *db)
            .await
            .map_err(Error::during(OPERATION))?;
        let shown = |(referral, account, initial, phone, country, language, registered_at): Row| Match {
            referral,
            account,
            initial,
            phone: Phone::trusted(phone).masked(),
            country,
            language,
            registered_at,
        };
        Ok(rows.into_iter().map(shown).collect())
    }

    /// Returns the number of active targets of a campaign.
    pub async fn count_active(&self, campaign: CampaignId) -> Result<u64, Error> {
        let active: i64 = sqlx::query_scalar("select count(*) from target where campaign_id = $1 and state = 'active'")
            .bind(campaign.0)
            .fetch_one(&self.pool)
            .await
            .map_err(Error::during("count the people in a campaign"))?;
        Ok(active.unsigned_abs())
    }
}
