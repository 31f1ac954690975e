//! The desired state in the database: the manifests of the last accepted revision, resolved.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::core::domain::{CampaignId, Name, SourceId};
use crate::core::manifest;
use crate::core::manifest::Desired;
use crate::core::plan::{Kind, Objects};
use crate::store::stored_objects::stored_objects;
use crate::store::{Error, Store};

/// The state in force, with the generation by which a later write checks that it still is.
#[derive(Debug, Clone, Default)]
pub struct InForce {
    pub desired: Desired,
    /// The objects as stored, usable or not.
    pub objects: Objects,
    /// The digests of the manifests that the objects were made from.
    pub sources: BTreeMap<(Kind, Name), String>,
    /// The names of stored objects whose kind or name this version does not know. Nothing reads or changes them.
    pub unknown: Vec<String>,
    pub generation: i64,
    /// The newest revision; 0 before the first.
    pub revision: i32,
    /// Campaigns by name, except those without a manifest.
    pub campaigns: BTreeMap<Name, CampaignId>,
    /// The source that the database follows, if known.
    pub owner: Option<SourceId>,
}

impl InForce {
    /// Applies the new names of campaigns to this copy; `renames` gives the old name of each.
    pub fn rename(&mut self, renames: &BTreeMap<Name, Name>) {
        let kind = manifest::Kind::Campaign;
        for (new, old) in renames {
            moved(&mut self.desired.campaigns, old, new.clone());
            moved(&mut self.objects, &(Kind::Campaign, old.clone()), (Kind::Campaign, new.clone()));
            moved(&mut self.sources, &(Kind::Campaign, old.clone()), (Kind::Campaign, new.clone()));
            moved(&mut self.desired.unusable, &(kind, old.clone()), (kind, new.clone()));
            moved(&mut self.campaigns, old, new.clone());
            if self.desired.protected.remove(&(kind, old.clone())) {
                self.desired.protected.insert((kind, new.clone()));
            }
        }
        // Unchanged objects keep referring to the same campaigns.
        let new_name = |name: &mut Name| {
            if let Some((new, _)) = renames.iter().find(|(_, old)| *old == name) {
                name.clone_from(new);
            }
        };
        self.desired.campaigns.values_mut().filter_map(|spec| spec.run_after.as_mut()).for_each(new_name);
        self.desired.queues.values_mut().flat_map(|queue| &mut queue.campaigns).for_each(new_name);
    }
}

fn moved<K: Ord, V>(map: &mut BTreeMap<K, V>, from: &K, to: K) {
    if let Some(value) = map.remove(from) {
        map.insert(to, value);
    }
}

impl Store {
    /// Reads what is in force.
    pub async fn in_force(&self) -> Result<InForce, Error> {
        in_force(&mut *self.looking().await?).await
    }

    /// Returns the source that the database follows, if known.
    pub async fn owner(&self) -> Result<Option<SourceId>, Error> {
        let mut db = self.pool.acquire().await.map_err(Error::during("look for the source of the database"))?;
        owner(&mut db).await
    }

    /// Counts the unfinished runs of each campaign.
    pub async fn live_runs(&self) -> Result<BTreeMap<CampaignId, u64>, Error> {
        let rows: Vec<(i32, i64)> =
            sqlx::query_as("select campaign_id, count(*) from run where finished_at is null group by campaign_id")
                .fetch_all(&self.pool)
                .await
                .map_err(Error::during("count unfinished runs"))?;
        Ok(rows.into_iter().map(|(id, runs)| (CampaignId(id), runs.unsigned_abs())).collect())
    }
}

/// Reads the state in force; the transaction must see one snapshot.
pub(in crate::store) async fn in_force(tx: &mut PgConnection) -> Result<InForce, Error> {
    let (generation, revision): (i64, i32) =
        sqlx::query_as("select desired, coalesce((select max(id) from revision), 0) from generation")
            .fetch_one(&mut *tx)
            .await
            .map_err(Error::during("read the generation"))?;
    let (stored, unknown) = stored_objects(tx, "select kind, name, format, body::text, source from manifest").await?;
    let campaigns: Vec<(String, i32)> = sqlx::query_as("select name, id from campaign where removed_at is null")
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during("read the campaigns"))?;
    let owner = owner(tx).await?;
    let sources = stored.iter().map(|one| ((one.kind, one.name.clone()), one.source.clone())).collect();
    let (desired, objects) = Desired::from_stored(stored);
    let campaigns = campaigns.into_iter().filter_map(|(name, id)| Some((Name::parse(&name).ok()?, CampaignId(id))));
    let campaigns = campaigns.collect();
    Ok(InForce { desired, objects, sources, unknown, generation, revision, campaigns, owner })
}

async fn owner(db: &mut PgConnection) -> Result<Option<SourceId>, Error> {
    const OPERATION: &str = "look for the source of the database";
    // A revision applied from a checkout of the same source does not give the repository.
    let row: Option<(String, Option<String>)> = sqlx::query_as(
        "select source, (select repository from revision o where o.source = r.source and o.repository is not null
                         order by id desc limit 1)
         from revision r where source is not null order by id desc limit 1",
    )
    .fetch_optional(db)
    .await
    .map_err(Error::during(OPERATION))?;
    let owner = |(name, repository): (String, _)| Ok(SourceId { name: Name::parse(&name)?, repository });
    row.map(owner).transpose().map_err(|error: String| Error::new(OPERATION, sqlx::Error::Decode(error.into())))
}
