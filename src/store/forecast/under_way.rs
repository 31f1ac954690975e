//! The people and runs under way that a plan reaches, counted before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::domain::{CampaignId, Name, Timestamp};
use crate::core::manifest::Desired;
use crate::core::manifest::desired::{Campaign, DesiredState};
use crate::core::plan::under_way::UnderWay;
use crate::core::plan::{Action, Effect, Kind, Plan, affected};
use crate::store::rows::{decode, zone};
use crate::store::runs::under_way::under_way;
use crate::store::{Error, InForce, Store};

/// The counts of one campaign.
#[derive(Debug, Clone, Copy, Default)]
struct Reached {
    exit: u64,
    complete: u64,
    due_again: u64,
    read_again: u64,
    begun: u64,
    over: u64,
}

impl Reached {
    fn add_to(self, effect: &mut Effect) {
        effect.exit += self.exit;
        effect.complete += self.complete;
        effect.due_again += self.due_again;
        effect.read_again += self.read_again;
        effect.begun += self.begun;
        effect.over += self.over;
    }
}

impl Store {
    /// Adds to the effects of `plan` what it does to people and runs under way. A campaign that changes itself has its
    /// counts; those of other campaigns stand with the sequence that changes them.
    pub(super) async fn reach(
        &self,
        plan: &mut Plan,
        desired: &Desired,
        in_force: &InForce,
        now: Timestamp,
    ) -> Result<(), Error> {
        let known = |name: &&Name| Some(((*name).clone(), *in_force.campaigns.get(*name)?));
        let campaigns: BTreeMap<Name, CampaignId> = affected(plan, desired).iter().filter_map(known).collect();
        let reached = self.reached(&campaigns, desired, in_force, now).await?;
        let own: BTreeSet<Name> = plan
            .changes
            .iter()
            .filter(|change| change.kind == Kind::Campaign)
            .map(|change| change.name.clone())
            .collect();
        for change in &mut plan.changes {
            let (kind, action, name) = (change.kind, change.action, &change.name);
            let Some(effect) = change.effect.as_mut().filter(|_| !matches!(action, Action::Cancel | Action::Create))
            else {
                continue;
            };
            for (campaign, counts) in &reached {
                let uses = |spec: &Campaign| spec.sequence == *name;
                let here = match kind {
                    Kind::Campaign => campaign == name,
                    Kind::Sequence => !own.contains(campaign) && desired.campaigns.get(campaign).is_some_and(uses),
                    _ => false,
                };
                if here {
                    counts.add_to(effect);
                }
            }
        }
        Ok(())
    }

    async fn reached(
        &self,
        campaigns: &BTreeMap<Name, CampaignId>,
        desired: &Desired,
        in_force: &InForce,
        now: Timestamp,
    ) -> Result<BTreeMap<Name, Reached>, Error> {
        let ids: Vec<i32> = campaigns.values().map(|id| id.0).collect();
        let people: Vec<(i32, i16, i64)> = sqlx::query_as(
            "select t.campaign_id, t.day, count(*) from run n
             join target t on (t.account_id, t.campaign_id) = (n.account_id, n.campaign_id)
             where n.campaign_id = any($1) and n.finished_at is null and t.state = 'active' and t.due_at is not null
             group by t.campaign_id, t.day",
        )
        .bind(&ids)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("count the people under way"))?;
        let runs: Vec<(i32, String, bool, bool, i64, i64)> = sqlx::query_as(
            "select r.campaign_id, a.timezone, r.finished_at is not null, r.started_at is not null, count(*),
                    coalesce(sum((select count(*) from target t where t.account_id = r.account_id
                                  and t.campaign_id = r.campaign_id and t.state = 'active')), 0)::bigint
             from run r join account a on a.id = r.account_id
             where r.campaign_id = any($1) group by 1, 2, 3, 4",
        )
        .bind(&ids)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("count the runs under way"))?;
        let mut all = BTreeMap::new();
        for (name, id) in campaigns {
            let mut counts = Reached::default();
            let edit: UnderWay = under_way((name, &in_force.desired), (name, desired)).unwrap_or_default();
            for (_, day, people) in people.iter().filter(|(campaign, ..)| *campaign == id.0) {
                let (day, people) = (day.unsigned_abs(), people.unsigned_abs());
                counts.complete += if edit.completes(day) { people } else { 0 };
                counts.due_again += if edit.retimes(day) { people } else { 0 };
                counts.read_again += if edit.repeats(day) { people } else { 0 };
            }
            let (spec, before) = (desired.campaigns.get(name), in_force.desired.campaigns.get(name));
            for (_, timezone, is_over, begun, runs, active) in runs.iter().filter(|row| row.0 == id.0) {
                if *is_over {
                    counts.over += runs.unsigned_abs();
                    continue;
                }
                let Some(spec) = spec else { continue };
                let zone = match &spec.schedule.timezone {
                    Some(zone) => zone.clone(),
                    None => zone(timezone).map_err(decode("read the zones of accounts"))?,
                };
                let start = spec.schedule.start_at.filter(|at| at.at(&zone) > now);
                if *begun && start.is_some() && before.is_none_or(|before| before.schedule.start_at != start) {
                    counts.begun += runs.unsigned_abs();
                }
                if spec.state == DesiredState::Active && spec.schedule.end_at.is_some_and(|at| at.at(&zone) <= now) {
                    counts.exit += active.unsigned_abs();
                }
            }
            all.insert(name.clone(), counts);
        }
        Ok(all)
    }
}
