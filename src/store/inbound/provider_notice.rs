//! What providers tell of accounts, numbers and templates: it stands in the log, once, and stops or lets go on what it is
//! about.

use sqlx::PgConnection;

use crate::core::domain::Timestamp;
use crate::core::lifecycle::event::EventKind;
use crate::core::lifecycle::restriction::Restriction;
use crate::core::lifecycle::send_resources::SendResources;
use crate::store::event::{Event, tell};
use crate::store::runs::restriction as provider_stop;
use crate::store::{Error, Senders, Store};

/// Something that a provider told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderNotice {
    /// The same when it is told again.
    pub id: String,
    pub sentence: String,
    pub at: Timestamp,
    /// What it stops, or lets go on, if it does either.
    pub stop: Option<Restriction>,
}

impl Store {
    /// Writes into the log what was not told before, and has it take effect: whoever uses what is stopped is looked at, and so is
    /// whoever waited for what is lifted. Returns the places in `notices` of what is new. One transaction.
    ///
    /// `by` which means campaigns write, and in whose name accounts do, says whom it concerns. In whatever order notices come, and however often, what was told last of a thing counts.
    pub async fn note_notices(
        &self,
        notices: &[ProviderNotice],
        by: (&SendResources, &Senders),
        now: Timestamp,
    ) -> Result<Vec<usize>, Error> {
        if notices.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to note what a provider tells"))?;
        let mut new = remember(&mut tx, notices, now).await?;
        let mut places = Vec::new();
        for (place, notice) in notices.iter().enumerate() {
            if let Some(at) = new.iter().position(|id| *id == notice.id) {
                new.swap_remove(at);
                places.push(place);
            }
        }
        let event = |place: &usize| Event::new(EventKind::ProviderNotice, None, notices[*place].sentence.clone());
        tell(&mut tx, &places.iter().map(event).collect::<Vec<_>>(), now).await?;
        let told: Vec<&Restriction> = places.iter().filter_map(|place| notices[*place].stop.as_ref()).collect();
        provider_stop::note(&mut tx, &told, by, now).await?;
        tx.commit().await.map_err(Error::during("commit what a provider tells"))?;
        Ok(places)
    }
}

/// Returns the ids of what was not heard before.
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
    .map_err(Error::during("note what a provider tells"))
}
