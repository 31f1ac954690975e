//! Provider notifications about accounts, numbers and templates: each is logged once, and restricts or releases its
//! subject.

use sqlx::PgConnection;

use crate::core::domain::Timestamp;
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::event::EventKind;
use crate::core::lifecycle::restriction::Restriction;
use crate::core::lifecycle::send_resources::SendResources;
use crate::store::event::{Event, tell};
use crate::store::runs::restriction as provider_stop;
use crate::store::{Error, Senders, Store};

/// A notification from a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderNotice {
    /// Stays the same when the notification is repeated.
    pub id: String,
    pub detail: Detail,
    pub at: Timestamp,
    /// The restriction that it imposes or lifts, if any.
    pub stop: Option<Restriction>,
}

impl Store {
    /// Logs the new notifications and applies them, in one transaction. Schedules a look at runs that use what is
    /// restricted, or that wait for what is lifted. Returns the indexes in `notices` of the new ones.
    ///
    /// `by` says which sender each campaign and each account uses, and so which runs are affected. The latest notification
    /// about a subject counts, in whatever order and however often notifications arrive.
    pub async fn note_notices(
        &self,
        notices: &[ProviderNotice],
        by: (&SendResources, &Senders),
        now: Timestamp,
    ) -> Result<Vec<usize>, Error> {
        if notices.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to save a provider's notice"))?;
        let mut new = remember(&mut tx, notices, now).await?;
        let mut places = Vec::new();
        for (place, notice) in notices.iter().enumerate() {
            if let Some(at) = new.iter().position(|id| *id == notice.id) {
                new.swap_remove(at);
                places.push(place);
            }
        }
        let event = |place: &usize| Event::new(EventKind::ProviderNotice, None, notices[*place].detail.clone());
        tell(&mut tx, &places.iter().map(event).collect::<Vec<_>>(), now).await?;
        let restrictions: Vec<&Restriction> = places.iter().filter_map(|place| notices[*place].stop.as_ref()).collect();
        provider_stop::note(&mut tx, &restrictions, by, now).await?;
        tx.commit().await.map_err(Error::during("commit a provider's notice"))?;
        Ok(places)
    }
}

/// Records the notifications, and returns the ids of those that are new.
async fn remember(tx: &mut PgConnection, notices: &[ProviderNotice], now: Timestamp) -> Result<Vec<String>, Error> {
    sqlx::query_scalar(
        "insert into inbound (message_id, at, received_at)
         select id, least(at, $3), $3 from unnest($1::text[], $2::timestamptz[]) as u (id, at) order by id
         on conflict (message_id) do nothing returning message_id",
    )
    .bind(notices.iter().map(|notice| notice.id.as_str()).collect::<Vec<_>>())
    .bind(notices.iter().map(|notice| notice.at).collect::<Vec<_>>())
    .bind(now)
    .fetch_all(tx)
    .await
    .map_err(Error::during("save a provider's notice"))
}
