//! Return of quota.

use sqlx::PgConnection;

use crate::core::domain::{AccountId, CampaignId, NaiveDate};
use crate::store::Error;
use crate::store::columns::{Batch, columns};

columns! {
    /// The quota of one message, taken on a day.
    pub(in crate::store) struct Returned {
        account_id: AccountId,
        campaign_id: CampaignId,
        day: NaiveDate,
    }
}

const GIVE_BACK: Batch<Returned> = Batch::of(include_str!("quota_give_back.sql"));

/// Returns the quota of a day, unless that day is over.
pub(in crate::store) async fn give_back(tx: &mut PgConnection, returned: Vec<Returned>) -> Result<(), Error> {
    GIVE_BACK.query(returned).execute(tx).await.map(drop).map_err(Error::during("give quota back"))
}
