//! Receipts of messages whose target an import moved to another row of the same person.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::provider_receipt::Receipt;
use crate::core::domain::{AccountId, CampaignId, MessageKey, ReferralId};
use crate::store::columns::{Batch, columns};
use crate::store::{Error, Store};

columns! {
    /// A receipt, by its place among others.
    struct PlaceRow<'a> {
        place: i64,
        account_id: AccountId,
        campaign_id: CampaignId,
        referral_id: ReferralId,
        day: i16,
        provider_id: Option<&'a str>,
    }
}

/// The row that a target left may be enrolled again, as another person. Its own message counts then, unless the
/// provider's id says otherwise.
const FIND: Batch<PlaceRow<'_>> = Batch::of(include_str!("moved_find.sql"));

impl Store {
    /// Returns `receipts` with the present keys of their messages.
    pub(super) async fn at_present<'a>(&self, receipts: &'a [Receipt]) -> Result<Cow<'a, [Receipt]>, Error> {
        let mut db = self.pool.acquire().await.map_err(Error::during("look for moved targets"))?;
        let moved = find(&mut db, &receipts.iter().collect::<Vec<_>>()).await?;
        if moved.is_empty() {
            return Ok(Cow::Borrowed(receipts));
        }
        let mut receipts = receipts.to_vec();
        for (place, referral) in moved {
            if let Some(receipt) = receipts.get_mut(place) {
                receipt.key.target.referral = referral;
            }
        }
        Ok(Cow::Owned(receipts))
    }
}

/// Returns the present row of each moved message, by the place of its receipt in `receipts`.
pub(super) async fn find(db: &mut PgConnection, receipts: &[&Receipt]) -> Result<BTreeMap<usize, ReferralId>, Error> {
    let rows = receipts.iter().enumerate().map(|(place, receipt)| {
        let MessageKey { target, day } = receipt.key;
        PlaceRow {
            place: i64::try_from(place).unwrap_or(i64::MAX),
            account_id: target.account,
            campaign_id: target.campaign,
            referral_id: target.referral,
            day,
            provider_id: receipt.provider_id.as_deref(),
        }
    });
    let found: Vec<(i64, i64)> =
        FIND.query_as(rows).fetch_all(db).await.map_err(Error::during("look for moved targets"))?;
    let row = |(place, referral): (i64, i64)| Some((usize::try_from(place).ok()?, ReferralId(referral)));
    Ok(found.into_iter().filter_map(row).collect())
}
