//! Frozen manifests: those that do not take effect as written. They are saved, so that each is logged once across
//! restarts.

use sqlx::types::Json;

use crate::core::domain::{Name, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::event::EventKind;
use crate::core::manifest::Kind;
use crate::store::event::{Event, tell};
use crate::store::{Error, Store};

const OPERATION: &str = "save frozen manifests";

/// A manifest that does not take effect as written, or an object that stays although its manifest is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standstill {
    pub kind: Kind,
    pub name: Name,
    /// The effect and its reason.
    pub detail: Detail,
}

impl Store {
    /// Saves the set of frozen manifests, and logs the new ones. Writes nothing when the set is unchanged or another
    /// daemon took over.
    pub async fn note_frozen(&self, frozen: &[Standstill], now: Timestamp) -> Result<(), Error> {
        let kinds: Vec<&str> = frozen.iter().map(|one| one.kind.as_str()).collect();
        let names: Vec<&str> = frozen.iter().map(|one| one.name.as_str()).collect();
        let mut tx = self.pool.begin().await.map_err(Error::during(OPERATION))?;
        // The lease is locked only when there is something to write.
        let news: Vec<(String, String)> = sqlx::query_as(
            "select kind, name
             from unnest($1::text[], $2::text[]) as u (kind, name) full join frozen_manifest f using (kind, name)
             where f.frozen_at is null or not (kind, name) in (select * from unnest($1::text[], $2::text[]))
             order by kind, name",
        )
        .bind(&kinds)
        .bind(&names)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during(OPERATION))?;
        if news.is_empty() {
            return Ok(());
        }
        if self.overtaken(&mut tx).await? {
            return Ok(());
        }
        let details: Vec<Json<&Detail>> = frozen.iter().map(|one| Json(&one.detail)).collect();
        sqlx::query(
            "with thawed as (
               delete from frozen_manifest
               where (kind, name) not in (select * from unnest($1::text[], $2::text[])))
             insert into frozen_manifest (kind, name, detail, frozen_at)
             select kind, name, detail, $4 from unnest($1::text[], $2::text[], $3::jsonb[]) as u (kind, name, detail)
             on conflict (kind, name) do nothing",
        )
        .bind(&kinds)
        .bind(&names)
        .bind(details)
        .bind(now)
        .execute(&mut *tx)
        .await
        .map_err(Error::during(OPERATION))?;
        let of =
            |kind: &str, name: &str| frozen.iter().find(|one| one.kind.as_str() == kind && one.name.as_str() == name);
        let event = |(kind, name): &(String, String)| {
            if let Some(one) = of(kind, name) {
                return Event::new(EventKind::ManifestFrozen, self.actor(), one.detail.clone());
            }
            let detail = Detail::ManifestThawed { kind: kind.clone(), name: name.clone() };
            Event::new(EventKind::ManifestThawed, self.actor(), detail)
        };
        tell(&mut tx, &news.iter().map(event).collect::<Vec<_>>(), now).await?;
        tx.commit().await.map_err(Error::during(OPERATION))
    }
}
