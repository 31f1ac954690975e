//! The effects of a plan on people, counted before anything is written.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::core::dispatch::lane::DayCount;
use crate::core::domain::{AccountId, CampaignId, NaiveDate, Timestamp};
use crate::core::lifecycle::enrollment::{Taken, room};
use crate::core::manifest::Desired;
use crate::core::manifest::desired::policy::Policies;
use crate::core::manifest::desired::{AccountSelector, Campaign};
use crate::core::plan::forecast::Foreseen;
use crate::core::plan::{Action, Change, Effect, Kind, Plan, affected};
use crate::store::rows::{decode, zone};
use crate::store::runs::account_policy::spoken_of;
use crate::store::runs::selector::selection;
use crate::store::{Error, InForce, Seeker, Store, Tree};

impl Store {
    /// Fills in the effects of `plan`, which leads from `in_force` to `desired`.
    pub async fn count_effects(
        &self,
        plan: &mut Plan,
        desired: &Desired,
        in_force: &InForce,
        now: Timestamp,
    ) -> Result<(), Error> {
        let counted = |(place, change): (usize, &Change)| Some((place, Counted::of(change, desired, in_force)?));
        let counted: Vec<(usize, Counted<'_>)> = plan.changes.iter().enumerate().filter_map(counted).collect();
        for (place, effect) in self.count(&counted).await? {
            plan.changes[place].effect = Some(effect);
        }
        self.reach(plan, desired, in_force, now).await?;
        let foreseen = self.foresee_plan(plan, desired, in_force, now).await?;
        plan.look_ahead(&foreseen, desired);
        Ok(())
    }

    /// Forecasts every account that `plan` affects, without the plan and with it.
    async fn foresee_plan(
        &self,
        plan: &Plan,
        desired: &Desired,
        in_force: &InForce,
        now: Timestamp,
    ) -> Result<Vec<Foreseen>, Error> {
        let cancelled = plan.changes.iter().filter(|c| c.kind == Kind::Campaign && c.action == Action::Cancel);
        let moved = plan.changes.iter().filter(|change| change.kind == Kind::Queue);
        let orders = moved.flat_map(|change| [desired, &in_force.desired].map(|tree| tree.queues.get(&change.name)));
        let reordered = orders.flatten().flat_map(|queue| &queue.campaigns);
        let mut selectors: Vec<&AccountSelector> = Vec::new();
        for name in affected(plan, desired).into_iter().chain(cancelled.map(|change| &change.name)).chain(reordered) {
            let specs = [&desired.campaigns, &in_force.desired.campaigns].map(|campaigns| campaigns.get(name));
            selectors.extend(specs.into_iter().flatten().map(|spec| &spec.accounts));
        }
        selectors.extend(spoken_of(plan, [desired, &in_force.desired]));
        let trees = [Tree { desired: &in_force.desired, plan: &Plan::default() }, Tree { desired, plan }];
        self.forecast(&selectors, &trees, in_force, now).await
    }

    /// Counts the accounts and people of all changes, in one statement.
    async fn count(&self, counted: &[(usize, Counted<'_>)]) -> Result<Vec<(usize, Effect)>, Error> {
        if counted.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<(i64, i64, i64)> = sqlx::query_as(include_str!("effect_counts.sql"))
            .bind(Value::Array(counted.iter().map(|(place, counted)| counted.row(*place)).collect()))
            .persistent(false)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::during("count the accounts of a plan"))?;
        let found: HashMap<i64, (i64, i64)> = rows.into_iter().map(|row| (row.0, (row.1, row.2))).collect();
        let effect = |(place, _): &(usize, Counted<'_>)| {
            let key = i64::try_from(*place).unwrap_or(i64::MAX);
            let (accounts, exit) = found.get(&key).copied().unwrap_or_default();
            (*place, Effect { accounts: accounts.unsigned_abs(), exit: exit.unsigned_abs(), ..Effect::default() })
        };
        Ok(counted.iter().map(effect).collect())
    }

    /// Sets the room of each of `seekers` under `spec`, as enrollment would find it, and whether its run is over.
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
        .map_err(Error::during("read the free quota"))?;
        let runs: HashMap<i32, _> = rows.into_iter().map(|row| (row.0, row)).collect();
        for seeker in &mut seekers {
            seeker.is_over = runs.get(&seeker.account.0).is_some_and(|(_, is_over, ..)| *is_over);
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

    /// Returns the accounts that `selector` selects, each with unlimited room.
    pub async fn seekers(&self, selector: &AccountSelector, policies: &Policies) -> Result<Vec<Seeker>, Error> {
        let (names, labels) = selection(selector);
        let rows: Vec<(i32, String, String, Value)> = sqlx::query_as(
            "select id, timezone, external_id, attributes from account a
             where ($1::text[] is null or a.external_id = any($1)) and ($2::jsonb is null or a.attributes @> $2)
             order by id",
        )
        .bind(names)
        .bind(labels)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read the accounts of a campaign"))?;
        rows.into_iter()
            .map(|(id, timezone, name, labels)| {
                let enrolls = policies.of(&name, &labels).enrollment.is_on();
                Ok(Seeker { account: AccountId(id), zone: zone(&timezone)?, enrolls, room: u64::MAX, is_over: false })
            })
            .collect::<Result<_, sqlx::Error>>()
            .map_err(decode("read the accounts of a campaign"))
    }
}

/// The accounts and people that a change concerns.
enum Counted<'a> {
    Selected(&'a AccountSelector),
    /// The accounts with unfinished runs of these campaigns, and the people who leave them.
    Runs {
        campaigns: BTreeSet<i32>,
        exit: bool,
    },
}

impl<'a> Counted<'a> {
    /// Returns `None` for a change that concerns nobody by itself.
    fn of(change: &Change, desired: &'a Desired, in_force: &'a InForce) -> Option<Self> {
        let runs = |campaigns, exit| Self::Runs { campaigns, exit };
        match (change.kind, change.action) {
            (Kind::Campaign, Action::Cancel) => {
                Some(runs(in_force.campaigns.get(&change.name).map(|id| id.0).into_iter().collect(), true))
            }
            (Kind::Campaign, _) => desired.campaigns.get(&change.name).map(|spec| Self::Selected(&spec.accounts)),
            (Kind::Sequence, Action::Update) => {
                let users = desired.campaigns.iter().filter(|(_, spec)| spec.sequence == change.name);
                Some(runs(users.filter_map(|(name, _)| in_force.campaigns.get(name)).map(|id| id.0).collect(), false))
            }
            (Kind::Account, _) => {
                let trees = [desired, &in_force.desired];
                let account = trees.into_iter().find_map(|tree| tree.accounts.get(&change.name))?;
                Some(Self::Selected(&account.accounts))
            }
            (Kind::Sequence | Kind::Channel | Kind::Queue | Kind::Notifier | Kind::Defaults, _) => None,
        }
    }

    fn row(&self, place: usize) -> Value {
        match self {
            Self::Selected(selector) => {
                let (names, labels) = selection(selector);
                serde_json::json!({"place": place, "names": names, "labels": labels})
            }
            Self::Runs { campaigns, exit } => {
                serde_json::json!({"place": place, "campaigns": campaigns, "exits": exit})
            }
        }
    }
}
