//! What a change of a campaign means for people, counted before anything is written.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::overrides::overrides_of;
use super::rows::{decode, zone};
use super::{Error, InForce, Seeker, Store};
use crate::domain::{AccountId, CampaignId, NaiveDate, Name, Timestamp, Zone};
use crate::lane::DayCount;
use crate::lifecycle::enrollment::{Taken, room};
use crate::lifecycle::operator::Override;
use crate::lifecycle::run::{Phase, Situation, Status, next};
use crate::manifest::Desired;
use crate::manifest::desired::{AccountSelector, Campaign};
use crate::plan::{Action, Effect, Kind, Plan};

impl Store {
    /// Fills in the effects of `plan`, which leads from `in_force` to `desired`.
    pub async fn count_effects(
        &self,
        plan: &mut Plan,
        desired: &Desired,
        in_force: &InForce,
        now: Timestamp,
    ) -> Result<(), Error> {
        for change in &mut plan.changes {
            let effect = match (change.kind, change.action) {
                (Kind::Campaign, Action::Cancel) => self.cancelling(&change.name, in_force).await?,
                (Kind::Campaign, _) => match desired.campaigns.get(&change.name) {
                    Some(spec) => self.running(&change.name, spec, in_force, now).await?,
                    None => continue,
                },
                (Kind::Sequence, Action::Update) => self.rewording(&change.name, desired, in_force).await?,
                (Kind::Sequence | Kind::Channel | Kind::Defaults, _) => continue,
            };
            change.effect = Some(effect);
        }
        Ok(())
    }

    async fn cancelling(&self, name: &Name, in_force: &InForce) -> Result<Effect, Error> {
        let Some(id) = in_force.campaigns.get(name) else { return Ok(Effect::default()) };
        let exit: i64 = sqlx::query_scalar("select count(*) from target where campaign_id = $1 and state = 'active'")
            .bind(id.0)
            .fetch_one(&self.pool)
            .await
            .map_err(Error::during("count who leaves"))?;
        let accounts = in_force.live_runs.get(name).copied().unwrap_or_default();
        Ok(Effect { accounts, exit: exit.unsigned_abs(), ..Effect::default() })
    }

    async fn running(&self, name: &Name, spec: &Campaign, in_force: &InForce, now: Timestamp) -> Result<Effect, Error> {
        let seekers = self.seekers(&spec.accounts).await?;
        let id = in_force.campaigns.get(name).copied().unwrap_or(CampaignId(0));
        let accounts = seekers.len() as u64;
        let open = self.would_be_active(id, spec, seekers, now).await?;
        let open = self.with_room(id, spec, open, now).await?;
        let found = self.count_matches((name, id), spec, &open, now).await?;
        Ok(Effect { accounts, enroll: found.iter().map(|(_, people)| people).sum(), ..Effect::default() })
    }

    /// Those of `seekers` whose run of the campaign would be active now.
    async fn would_be_active(
        &self,
        id: CampaignId,
        spec: &Campaign,
        seekers: Vec<Seeker>,
        now: Timestamp,
    ) -> Result<Vec<Seeker>, Error> {
        let mut db = self.pool.acquire().await.map_err(Error::during("look which runs would be active"))?;
        let accounts: Vec<i32> = seekers.iter().map(|seeker| seeker.account.0).collect();
        let overrides = overrides_of(&mut db, &accounts).await?;
        let started: Vec<i32> =
            sqlx::query_scalar("select account_id from run where campaign_id = $1 and started_at is not null")
                .bind(id.0)
                .fetch_all(&mut *db)
                .await
                .map_err(Error::during("look which runs have started"))?;
        let started: HashSet<i32> = started.into_iter().collect();
        let active = |seeker: &Seeker| {
            let order = overrides.about(seeker.account, id).at(now);
            is_active(spec, &seeker.zone, started.contains(&seeker.account.0), order, now)
        };
        Ok(seekers.into_iter().filter(active).collect())
    }

    /// Gives each of `seekers` the room that `spec` leaves it: what enrollment will find there.
    pub async fn with_room(
        &self,
        id: CampaignId,
        spec: &Campaign,
        mut seekers: Vec<Seeker>,
        now: Timestamp,
    ) -> Result<Vec<Seeker>, Error> {
        let rows: Vec<(i32, bool, i32, Option<NaiveDate>, i32, i64)> = sqlx::query_as(
            "select account_id, finished_at is not null, passes, enrolled_on, enrolled,
                    case when $2 then (select count(*) from target t where t.account_id = r.account_id
                                       and t.campaign_id = r.campaign_id) else 0 end
             from run r where campaign_id = $1 and account_id = any($3)",
        )
        .bind(id.0)
        .bind(spec.limits.targets.is_some())
        .bind(seekers.iter().map(|seeker| seeker.account.0).collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read how much room there is"))?;
        let runs: HashMap<i32, _> = rows.into_iter().map(|row| (row.0, row)).collect();
        for seeker in &mut seekers {
            seeker.room = match runs.get(&seeker.account.0) {
                None => room(spec, Taken::default()),
                Some((_, true, ..)) => 0,
                Some((_, false, passes, on, count, ever)) => {
                    let today = DayCount { on: *on, count: count.unsigned_abs() }.of(seeker.zone.date(now));
                    room(spec, Taken { passes: passes.unsigned_abs(), ever: ever.unsigned_abs(), today })
                }
            };
        }
        Ok(seekers)
    }

    async fn rewording(&self, sequence: &Name, desired: &Desired, in_force: &InForce) -> Result<Effect, Error> {
        let users = desired.campaigns.iter().filter(|(_, spec)| spec.sequence == *sequence);
        let users: BTreeSet<i32> = users.filter_map(|(name, _)| in_force.campaigns.get(name)).map(|id| id.0).collect();
        let accounts: i64 = sqlx::query_scalar(
            "select count(distinct account_id) from run where campaign_id = any($1) and finished_at is null",
        )
        .bind(users.into_iter().collect::<Vec<_>>())
        .fetch_one(&self.pool)
        .await
        .map_err(Error::during("count the accounts of a sequence"))?;
        Ok(Effect { accounts: accounts.unsigned_abs(), ..Effect::default() })
    }

    /// The accounts that `selector` selects, with as much room as there can be.
    pub async fn seekers(&self, selector: &AccountSelector) -> Result<Vec<Seeker>, Error> {
        let (names, labels) = selection(selector);
        let rows: Vec<(i32, String)> = sqlx::query_as(
            "select id, timezone from account a
             where ($1::text[] is null or a.external_id = any($1)) and ($2::jsonb is null or a.attributes @> $2)
             order by id",
        )
        .bind(names)
        .bind(labels)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read the accounts of a campaign"))?;
        rows.into_iter()
            .map(|(id, name)| Ok(Seeker { account: AccountId(id), zone: zone(&name)?, room: u64::MAX }))
            .collect::<Result<_, sqlx::Error>>()
            .map_err(decode("read the accounts of a campaign"))
    }
}

/// A selector as the two parameters of its SQL: ids, or labels.
pub(super) fn selection(selector: &AccountSelector) -> (Option<&[String]>, Option<serde_json::Value>) {
    match selector {
        AccountSelector::All => (None, None),
        AccountSelector::Names(names) => (Some(names), None),
        AccountSelector::MatchLabels(labels) => (None, Some(serde_json::json!(labels))),
    }
}

/// Whether a run of the campaign that has people to take would be active now.
fn is_active(spec: &Campaign, zone: &Zone, started: bool, order: Option<&Override>, now: Timestamp) -> bool {
    let zone = spec.schedule.timezone.as_ref().unwrap_or(zone);
    let situation = Situation {
        wanted: spec.state,
        removed: false,
        operator: order.cloned(),
        selected: true,
        started,
        start_at: spec.schedule.start_at.map(|start| start.at(zone)),
        end_at: spec.schedule.end_at.map(|end| end.at(zone)),
        enrollment: spec.enrollment,
        passes: 0,
        pass_due: true,
        last_pass_found: 0,
        target_cap_reached: false,
        has_active_targets: true,
        template_error: None,
    };
    next(&Status::created(), &situation, now).phase == Phase::Active
}
