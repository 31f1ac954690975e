//! Application of a plan: saves the manifests in force, the campaigns and the effects on their runs, in one
//! transaction.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::PgConnection;

use super::approval::carried_out;
use super::desired::in_force as in_force_before;
use super::leader_election::prolong;
use super::notification::sync_notifiers;
use crate::core::dispatch::program::{Program, frozen};
use crate::core::domain::{AccountId, CampaignId, Name, SourceId, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::event::EventKind;
use crate::core::lifecycle::ordering::Order;
use crate::core::lifecycle::send_resources::SendResources;
use crate::core::manifest;
use crate::core::manifest::Desired;
use crate::core::plan::render::text as show;
use crate::core::plan::{Action, Change, FORMAT, Kind, Plan, affected, stored as done};
use crate::store::event::{Event, tell};
use crate::store::generation::in_force;
use crate::store::lock::{share_overrides, try_share_imports};
use crate::store::runs::account_policy::accounts_spoken_of;
use crate::store::runs::advance::advance;
use crate::store::runs::restriction as provider_stop;
use crate::store::runs::run::{ensure, lock_accounts_of};
use crate::store::runs::scene::{Scene, Specs, specs};
use crate::store::runs::under_way::{Edits, move_people, under_way};
use crate::store::schedule::wake::{check_runs, wake_lanes};
use crate::store::send::refusal::lift_channels;
use crate::store::{Error, Store, Token};

/// The origin of a revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// Digest of the files.
    pub digest: String,
    pub commit: Option<String>,
    pub author: Option<String>,
    /// The source applied; `None`: the database keeps its present source.
    pub source: Option<SourceId>,
    /// The digest of the manifests that each object is made from.
    pub versions: BTreeMap<(manifest::Kind, Name), String>,
}

/// The result of applying a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It is in force, as this revision.
    Revision(i32),
    /// The plan's base has changed: nothing was written and a new plan is needed.
    Outdated,
    /// Another daemon reconciles now: nothing was written.
    Fenced,
    /// An import may change the accounts that the plan selects: nothing was written.
    Importing,
}

impl Store {
    /// Applies `plan`, which leads from generation `from` to `desired`, and advances the runs it affects, at most one batch.
    /// One transaction. Nothing is written when `from` is no longer in force, or when this store is [fenced](Store::fenced)
    /// and another daemon took over.
    ///
    /// A person needs no lease: the lock on the generation serializes all applies, and a plan applies only to its base.
    /// The lease matters for daemons whose files differ, for example after a pull that one of them missed: only the
    /// leader applies.
    pub async fn apply(
        &self,
        plan: &Plan,
        desired: &Desired,
        from: i64,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Applied, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to apply a plan"))?;
        let generation: i64 = sqlx::query_scalar("select desired from generation for update")
            .fetch_one(&mut *tx)
            .await
            .map_err(Error::during("lock the generation"))?;
        if generation != from {
            return Ok(Applied::Outdated);
        }
        if self.overtaken(&mut tx).await? {
            return Ok(Applied::Fenced);
        }
        // Accounts that are added or relabelled meanwhile would be examined under the old manifests, and then not
        // again.
        let all = plan.changes.iter().any(|change| matches!(change.kind, Kind::Defaults | Kind::Account));
        if all && !try_share_imports(&mut tx).await? {
            return Ok(Applied::Importing);
        }
        share_overrides(&mut tx).await?;
        let digest = plan.digest();
        let revision = self.insert_revision(&mut tx, (plan, &digest), origin, now).await?;
        carried_out(&mut tx, &digest, revision).await?;
        let before = if edits_days(plan) { Some(in_force_before(&mut tx).await?) } else { None };
        rename_campaigns(&mut tx, plan).await?;
        let gone = ids_of(&mut tx, removed(plan)).await?;
        let changed = ids_of(&mut tx, affected(plan, desired).into_iter().map(Name::to_string).collect()).await?;
        let waiting = if plan.changes.iter().any(|c| c.kind == Kind::Queue) { queued(&mut tx).await? } else { vec![] };
        // All lanes are locked in one pass. Two passes could deadlock with a transaction that locks them in order.
        let spoken_of = accounts_spoken_of(&mut tx, plan, desired).await?;
        let campaigns = [gone.as_slice(), &changed, &waiting].concat();
        let accounts = lock_accounts_of(&mut tx, &campaigns, &spoken_of).await?;
        save_manifests(&mut tx, plan, origin, revision).await?;
        if plan.changes.iter().any(|change| change.kind == Kind::Notifier) {
            sync_notifiers(&mut tx).await?;
        }
        lift_stops(&mut tx, plan).await?;
        save_campaigns(&mut tx, plan, &gone, now).await?;
        touch_runs(&mut tx, (&changed, revision), &spoken_of, now).await?;
        check_runs(&mut tx, &waiting, now).await?;
        wake_lanes(&mut tx, &accounts, now).await?;
        if let Some(before) = before {
            let old: BTreeMap<CampaignId, &Name> = before.campaigns.iter().map(|(name, id)| (*id, name)).collect();
            let touched = affected(plan, desired);
            let edit = |(name, id): (&Name, &CampaignId)| {
                Some((*id, under_way((old.get(id)?, &before.desired), (name, desired))?))
            };
            let ids = campaign_ids(&mut tx).await?;
            let edits: Edits = ids.iter().filter(|(name, _)| touched.contains(name)).filter_map(edit).collect();
            move_people(&mut tx, &edits, &accounts, now).await?;
        }
        let ids = campaign_ids(&mut tx).await?;
        let order = Order::of(desired, &ids);
        let frozen = frozen(desired, &ids);
        let specs: Specs<'_> = ids.iter().filter_map(|(name, id)| Some((*id, desired.campaigns.get(name)?))).collect();
        let planned = |name: &Name| plan.changes.iter().any(|c| c.kind == Kind::Campaign && c.name == *name);
        let planned: Specs<'_> = ids
            .iter()
            .filter(|(name, _)| planned(name))
            .filter_map(|(name, id)| Some((*id, desired.campaigns.get(name)?)))
            .collect();
        ensure(&mut tx, &planned, revision, now).await?;
        // The daemon advances runs beyond one batch in transactions of their own, so that no operator waits for all of them.
        // Until then the gate blocks them, except preempted default runs, which depend on many runs at once.
        let scene = Scene {
            specs,
            order: &order,
            policies: &desired.policies(),
            resources: &SendResources::of(desired, &ids),
            frozen: &frozen,
        };
        advance(&mut tx, &scene, now).await?;
        sqlx::query("update generation set desired = desired + 1")
            .execute(&mut *tx)
            .await
            .map_err(Error::during("raise the generation"))?;
        if self.fence.is_some() {
            prolong(&mut tx).await?;
        }
        tx.commit().await.map_err(Error::during("commit a plan"))?;
        Ok(Applied::Revision(revision))
    }

    /// Creates the runs that are missing because accounts were imported after the campaigns were applied. Returns
    /// `false`, having created nothing, when the program is no longer in force.
    pub async fn ensure_runs(&self, program: &Program, now: Timestamp) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to make runs"))?;
        ensure(&mut tx, &specs(program), program.revision, now).await?;
        if !in_force(&mut tx, program).await? {
            return Ok(false);
        }
        tx.commit().await.map_err(Error::during("commit new runs"))?;
        Ok(true)
    }

    /// Saves a revision and logs it, before its effects.
    async fn insert_revision(
        &self,
        tx: &mut PgConnection,
        (plan, digest): (&Plan, &str),
        origin: &Origin,
        now: Timestamp,
    ) -> Result<i32, Error> {
        let changes = show::changes(plan);
        let done = done::summary(&changes);
        let revision = sqlx::query_scalar(
            // A number from a sequence would be lost with every transaction that fails. The lock on the generation
            // keeps two applies from taking the same one.
            "insert into revision (id, digest, \"commit\", author, accepted_at, plan, token, applied_by, plan_digest,
                                   source, repository)
             overriding system value
             select coalesce(max(id), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 from revision returning id",
        )
        .bind(&origin.digest)
        .bind(&origin.commit)
        .bind(&origin.author)
        .bind(now)
        .bind(changes)
        .bind(self.fence.map(Token::number))
        .bind(self.actor())
        .bind(digest)
        .bind(origin.source.as_ref().map(|source| source.name.as_str()))
        .bind(origin.source.as_ref().and_then(|source| source.repository.as_deref()))
        .fetch_one(&mut *tx)
        .await
        .map_err(Error::during("save a revision"))?;
        let detail = Detail::RevisionApplied { revision, commit: origin.commit.clone(), changes: done };
        let author = origin.author.as_deref().or(self.actor());
        let event = Event::new(EventKind::RevisionApplied, author, detail);
        tell(tx, &[Event { revision: Some(revision), ..event }], now).await?;
        Ok(revision)
    }
}

/// Returns true if the plan may change the days of people under way, or when they are due.
fn edits_days(plan: &Plan) -> bool {
    let edits =
        |change: &Change| change.action != Action::Create && matches!(change.kind, Kind::Campaign | Kind::Sequence);
    plan.changes.iter().any(|change| edits(change) && change.after.is_some())
}

/// Renames campaigns; their ids and runs stay.
async fn rename_campaigns(tx: &mut PgConnection, plan: &Plan) -> Result<(), Error> {
    let renamed =
        plan.changes.iter().filter_map(|change| Some((change.from.as_ref()?.to_string(), change.name.to_string())));
    let (old, new): (Vec<String>, Vec<String>) = renamed.unzip();
    sqlx::query(
        "update campaign c set name = u.new from unnest($1::text[], $2::text[]) as u (old, new)
         where c.name = u.old and c.removed_at is null",
    )
    .bind(old)
    .bind(new)
    .execute(tx)
    .await
    .map_err(Error::during("rename campaigns"))?;
    Ok(())
}

async fn save_manifests(tx: &mut PgConnection, plan: &Plan, origin: &Origin, revision: i32) -> Result<(), Error> {
    let (gone, kept): (Vec<_>, Vec<_>) = plan.changes.iter().partition(|change| change.after.is_none());
    let columns = |changes: &[&Change]| -> (Vec<&'static str>, Vec<String>) {
        changes.iter().map(|change| (change.kind.as_str(), change.name.to_string())).unzip()
    };
    let (mut kinds, mut names) = columns(&gone);
    for (change, old) in plan.changes.iter().filter_map(|change| Some((change, change.from.as_ref()?))) {
        kinds.push(change.kind.as_str());
        names.push(old.to_string());
    }
    sqlx::query(
        "delete from manifest m using unnest($1::text[], $2::text[]) as u (kind, name)
         where m.kind = u.kind and m.name = u.name",
    )
    .bind(kinds)
    .bind(names)
    .execute(&mut *tx)
    .await
    .map_err(Error::during("remove manifests"))?;
    let (kinds, names) = columns(&kept);
    let bodies: Vec<&Value> = kept.iter().filter_map(|change| change.after.as_ref()).collect();
    let version = |change: &Change| origin.versions.get(&(change.kind.manifest(), change.name.clone()));
    let sources: Vec<&str> = kept.iter().map(|change| version(change).map_or("", String::as_str)).collect();
    sqlx::query(
        "insert into manifest (kind, name, body, revision_id, format, source)
         select kind, name, body, $4, $5, source
         from unnest($1::text[], $2::text[], $3::jsonb[], $6::text[]) as u (kind, name, body, source)
         on conflict (kind, name) do update
           set body = excluded.body, revision_id = excluded.revision_id, format = excluded.format,
               source = excluded.source",
    )
    .bind(kinds)
    .bind(names)
    .bind(bodies)
    .bind(revision)
    .bind(FORMAT)
    .bind(sources)
    .execute(tx)
    .await
    .map_err(Error::during("save manifests"))?;
    Ok(())
}

/// Lifts the stops of changed channels, so that they are tried again, and deletes those of removed channels.
async fn lift_stops(tx: &mut PgConnection, plan: &Plan) -> Result<(), Error> {
    let channels = || plan.changes.iter().filter(|change| change.kind == Kind::Channel);
    let changed: Vec<&str> = channels().map(|change| change.name.as_str()).collect();
    if changed.is_empty() {
        return Ok(());
    }
    lift_channels(tx, &changed).await?;
    let gone: Vec<&str> =
        channels().filter(|change| change.after.is_none()).map(|change| change.name.as_str()).collect();
    provider_stop::forget(tx, &gone).await
}

/// Returns the campaigns whose manifest is removed.
fn removed(plan: &Plan) -> Vec<String> {
    let campaigns = plan.changes.iter().filter(|change| change.kind == Kind::Campaign);
    campaigns.filter(|change| change.after.is_none()).map(|change| change.name.to_string()).collect()
}

async fn ids_of(tx: &mut PgConnection, names: Vec<String>) -> Result<Vec<i32>, Error> {
    sqlx::query_scalar("select id from campaign where name = any($1) and removed_at is null")
        .bind(names)
        .fetch_all(tx)
        .await
        .map_err(Error::during("look for the campaigns of a plan"))
}

async fn save_campaigns(tx: &mut PgConnection, plan: &Plan, gone: &[i32], now: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "with gone as (update campaign set removed_at = $2 where id = any($1))
         update run set check_at = $2 where campaign_id = any($1) and finished_at is null",
    )
    .bind(gone)
    .bind(now)
    .execute(&mut *tx)
    .await
    .map_err(Error::during("remove campaigns"))?;
    let kept = plan.changes.iter().filter(|change| change.kind == Kind::Campaign && change.after.is_some());
    sqlx::query(
        "insert into campaign (name) select name from unnest($1::text[]) with ordinality as u (name, place)
         where not exists (select from campaign c where c.name = u.name and c.removed_at is null)
         order by place",
    )
    .bind(kept.map(|change| change.name.to_string()).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(Error::during("save campaigns"))?;
    Ok(())
}

async fn campaign_ids(tx: &mut PgConnection) -> Result<BTreeMap<Name, CampaignId>, Error> {
    let rows: Vec<(String, i32)> = sqlx::query_as("select name, id from campaign where removed_at is null")
        .fetch_all(tx)
        .await
        .map_err(Error::during("read the campaigns"))?;
    Ok(rows.into_iter().filter_map(|(name, id)| Some((Name::parse(&name).ok()?, CampaignId(id)))).collect())
}

/// Schedules a look, an enrollment and a forecast for the runs of `campaigns`, now at `revision`, and of `accounts`.
async fn touch_runs(
    tx: &mut PgConnection,
    (campaigns, revision): (&[i32], i32),
    accounts: &[AccountId],
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(
        "update run set revision_id = case when campaign_id = any($1) then $2 else revision_id end, check_at = $4,
                enroll_at = $4, foreseen_at = null, ahead_at = case when ahead_at is not null then $4 end
         where (campaign_id = any($1) or account_id = any($3)) and finished_at is null",
    )
    .bind(campaigns)
    .bind(revision)
    .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
    .bind(now)
    .execute(tx)
    .await
    .map_err(Error::during("schedule a check of runs"))?;
    Ok(())
}

/// Returns the campaigns with runs queued behind others, which may come first when a queue changes.
async fn queued(tx: &mut PgConnection) -> Result<Vec<i32>, Error> {
    sqlx::query_scalar("select distinct campaign_id from run where phase = 'scheduled' and reason = 'queued-behind'")
        .fetch_all(tx)
        .await
        .map_err(Error::during("find runs that wait in a queue"))
}
