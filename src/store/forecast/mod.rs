//! Input of forecasts: accounts, their runs and people, read for many accounts at once.

pub(super) mod effect;
pub mod estimate;
mod people;
mod runs;
pub(super) mod sample;
pub(super) mod subscription_end;
pub(super) mod why_not;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use self::people::{People, Waiting};
use self::runs::{Member, Runs};
use super::runs::account_policy::spoken_of;
use super::runs::matcher::{Earlier, Seeker};
use super::{Error, InForce, Store};
use crate::core::dispatch::cadence::Cadence;
use crate::core::dispatch::pacing;
use crate::core::domain::{AccountId, CampaignId, Name, Timestamp};
use crate::core::lifecycle::ordering::Order;
use crate::core::manifest::Desired;
use crate::core::manifest::desired::policy::Policies;
use crate::core::manifest::desired::{AccountSelector, Campaign, DesiredState, ZoneOf};
use crate::core::plan::forecast;
use crate::core::plan::forecast::{Finish, Foreseen, Outlook, Run, admit};
use crate::core::plan::{Plan, affected};
use crate::store::runs::selector::accounts_of;

/// The number of runs per batch. It bounds memory: a forecast of all accounts needs no more than one of a few.
const BATCH: usize = 1_000_000;
/// The maximum number of accounts per batch.
const ACCOUNTS: usize = 500;

/// A desired state that is in force or may come into force.
#[derive(Debug, Clone, Copy)]
pub struct Tree<'a> {
    pub desired: &'a Desired,
    /// The plan that leads from the state in force to `desired`.
    pub plan: &'a Plan,
}

/// A campaign of a tree.
struct Asked<'a> {
    name: &'a Name,
    id: CampaignId,
    spec: &'a Campaign,
    cadence: Cadence,
    /// True if the campaign's runs are checked and enrolled again when the tree comes into force.
    touched: bool,
}

impl Store {
    /// Forecasts, under each of `trees`, the accounts that at least one of `selectors` selects.
    pub async fn forecast(
        &self,
        selectors: &[&AccountSelector],
        trees: &[Tree<'_>],
        in_force: &InForce,
        now: Timestamp,
    ) -> Result<Vec<Foreseen>, Error> {
        let policies = in_force.desired.policies();
        let scenes: Vec<Scene<'_>> = trees.iter().map(|tree| Scene::of(tree, in_force)).collect();
        let names: BTreeSet<&Name> = scenes.iter().flat_map(|scene| scene.places.keys().copied()).collect();
        let batch = (BATCH / names.len().max(1)).clamp(1, ACCOUNTS);
        let mut db = self.pool.acquire().await.map_err(Error::during("begin a forecast"))?;
        let earlier = Earlier::of(&mut db, names).await?;
        let accounts = accounts_of(&mut db, selectors).await?;
        drop(db);
        let own_zones = scenes.iter().flat_map(|scene| &scene.campaigns);
        let own_zones = own_zones.into_iter().any(|asked| asked.spec.schedule.zone == ZoneOf::Recipient);
        let at = (own_zones, now);
        let mut found = Vec::new();
        for accounts in accounts.chunks(batch) {
            let members = self.members(accounts, &policies).await?;
            let runs = self.runs_of(accounts).await?;
            let mut waiting: Vec<Vec<HashMap<AccountId, Waiting>>> = Vec::new();
            for (tree, scene) in scenes.iter().enumerate() {
                let mut each = Vec::new();
                let before = tree.checked_sub(1).map(|before| (&scenes[before], &waiting[before]));
                for asked in &scene.campaigns {
                    // Most campaigns are usually the same as in the tree before, so their people need no second query.
                    let same = before.and_then(|(scene, waiting)| {
                        let at = *scene.places.get(asked.name)?;
                        (scene.campaigns[at].spec == asked.spec).then(|| waiting[at].clone())
                    });
                    each.push(match same {
                        Some(same) => same,
                        None => self.waiting(asked, &earlier, (&members, &runs), at).await?,
                    });
                }
                waiting.push(each);
            }
            let people = self.people(&members, &waiting, at).await?;
            for member in &members {
                let looks = scenes.iter().zip(&waiting);
                let (trees, refused) =
                    looks.map(|(scene, waiting)| scene.look(member, &runs, &people, waiting, now)).unzip();
                found.push(Foreseen {
                    account: member.lane.account,
                    name: member.name.clone(),
                    zone: member.lane.zone.clone(),
                    subscription_ends_at: member.lane.facts.subscription_ends_at,
                    trees,
                    refused,
                });
            }
        }
        Ok(found)
    }

    /// Returns the people a campaign will enroll, for all accounts that get or have an unfinished run of it.
    async fn waiting(
        &self,
        asked: &Asked<'_>,
        earlier: &Earlier,
        (members, runs): (&[Member], &Runs),
        at: (bool, Timestamp),
    ) -> Result<HashMap<AccountId, Waiting>, Error> {
        // An operator's override may let a campaign run that its manifest does not.
        let ordered = |member: &Member| !runs.orders(member.lane.account, asked.id).is_empty();
        if asked.spec.state != DesiredState::Active && !members.iter().any(ordered) {
            return Ok(HashMap::new());
        }
        let open = members.iter().filter(|member| {
            let over = runs.get(member.lane.account, asked.id).is_some_and(|run| run.finished);
            !over && asked.spec.accounts.selects(&member.name, &member.labels)
        });
        let seeker = |member: &Member| Seeker {
            account: member.lane.account,
            zone: member.lane.zone.clone(),
            // The account's enrollment switch is applied elsewhere.
            enrolls: true,
            room: u64::MAX,
        };
        let seekers: Vec<Seeker> = open.map(seeker).collect();
        if seekers.is_empty() {
            return Ok(HashMap::new());
        }
        self.waiting_for(&earlier.lives(asked.name, asked.id), asked.spec, &seekers, at).await
    }
}

/// A tree prepared for the forecast of accounts.
struct Scene<'a> {
    /// The campaigns in the order of enrollment: those with an id first, then the new ones.
    campaigns: Vec<Asked<'a>>,
    /// The index of each campaign in `campaigns`.
    places: HashMap<&'a Name, usize>,
    order: Order,
    policies: Policies,
    /// Selectors of the accounts whose policy changes: their runs are checked and enrolled again.
    repoliced: Vec<&'a AccountSelector>,
}

impl<'a> Scene<'a> {
    fn of(tree: &Tree<'a>, in_force: &'a InForce) -> Self {
        // New campaigns have no id yet and get negative ones, which no stored campaign has.
        let known = |name: &Name| in_force.campaigns.get(name).copied();
        let new = tree.desired.campaigns.keys().filter(|name| known(name).is_none());
        let new = new.zip((1..).map(|n: i32| CampaignId(-n)));
        let old = tree.desired.campaigns.keys().filter_map(|name| Some((name, known(name)?)));
        let ids: BTreeMap<Name, CampaignId> = old.chain(new).map(|(name, id)| (name.clone(), id)).collect();
        let order = Order::of(tree.desired, &ids);
        let campaigns = asked(tree, &ids);
        let places = campaigns.iter().enumerate().map(|(at, asked)| (asked.name, at)).collect();
        let repoliced = spoken_of(tree.plan, [tree.desired, &in_force.desired]).collect();
        Self { campaigns, places, order, policies: tree.desired.policies(), repoliced }
    }
}

fn asked<'a>(tree: &Tree<'a>, ids: &BTreeMap<Name, CampaignId>) -> Vec<Asked<'a>> {
    let touched = affected(tree.plan, tree.desired);
    let mut all: Vec<Asked<'a>> = tree
        .desired
        .campaigns
        .iter()
        .filter(|(_, spec)| spec.state != DesiredState::Cancelled)
        .filter_map(|(name, spec)| {
            let cadence = Cadence::of(spec, tree.desired.sequences.get(&spec.sequence)?);
            let id = ids[name];
            Some(Asked { name, id, spec, cadence, touched: touched.contains(name) })
        })
        .collect();
    all.sort_by_key(|asked| (asked.id.0 < 0, asked.id.0.abs()));
    all
}

impl Scene<'_> {
    /// Forecasts one account.
    fn look(
        &self,
        member: &Member,
        runs: &Runs,
        people: &People,
        waiting: &[HashMap<AccountId, Waiting>],
        now: Timestamp,
    ) -> (BTreeMap<Name, Outlook>, BTreeMap<Name, Finish>) {
        let policy = self.policies.of(&member.name, &member.labels);
        let (lane, today) = (&member.lane, member.lane.zone.date(now));
        let account = forecast::Account {
            zone: &lane.zone,
            policy: &policy,
            order: &self.order,
            facts: lane.facts,
            taken: lane.taken.of(today),
            pace: pacing::in_force(&policy.pacing, lane.pace, now),
        };
        let repoliced = self.repoliced.iter().any(|accounts| accounts.selects(&member.name, &member.labels));
        let (mut names, mut ids, mut each, mut queues) = (vec![], vec![], vec![], vec![]);
        for (asked, waiting) in self.campaigns.iter().zip(waiting) {
            let selected = asked.spec.accounts.selects(&member.name, &member.labels);
            let orders = runs.orders(lane.account, asked.id);
            let new = Run { orders, selected, ..Run::new(asked.id, asked.spec, &asked.cadence) };
            let run = match runs.get(lane.account, asked.id) {
                Some(row) if row.finished => continue,
                Some(row) => {
                    let run = row.run(new, asked.touched, today, now);
                    Run { enroll_at: if repoliced { Some(now) } else { run.enroll_at }, ..run }
                }
                None if selected => new,
                None => continue,
            };
            names.push(asked.name.clone());
            ids.push(asked.id);
            each.push(run);
            queues.push(waiting.get(&lane.account));
        }
        if each.is_empty() {
            return (BTreeMap::new(), BTreeMap::new());
        }
        let groups = people.groups(lane.account, &ids, &queues, (now, today));
        let (outlooks, refused) = admit(&account, &each, &groups, now);
        let refused = refused.into_iter().map(|(run, finish)| (names[run].clone(), finish)).collect();
        (names.into_iter().zip(outlooks).collect(), refused)
    }
}
