//! Input of forecasts: accounts, their runs and people, read for many accounts at once.

pub(super) mod effect;
pub mod estimate;
mod people;
mod runs;
pub(super) mod sample;
pub(super) mod subscription_end;
mod under_way;
pub(super) mod why_not;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use self::people::{Moved, People, Waiting};
use self::runs::{Member, Runs};
use super::runs::account_policy::spoken_of;
use super::runs::matcher::{Earlier, Seeker};
use super::runs::under_way as edited;
use super::runs::under_way::{Edits, under_way};
use super::{Error, InForce, Store};
use crate::core::dispatch::cadence::Cadence;
use crate::core::dispatch::pacing;
use crate::core::domain::{AccountId, CampaignId, Name, ReferralId, Timestamp};
use crate::core::lifecycle::ordering::Order;
use crate::core::manifest::Desired;
use crate::core::manifest::desired::policy::Policies;
use crate::core::manifest::desired::{AccountSelector, Campaign, DesiredState, ZoneOf};
use crate::core::plan::forecast;
use crate::core::plan::forecast::{
    Admitted, Finish, Foreseen, NextMessage, Outlook, Place, Run, Watch, admit, next_message,
};
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

/// A campaign and the person whose next message is asked for.
type Watched<'a> = (&'a str, ReferralId);

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
        Ok(self.look(selectors, trees, in_force, None, now).await?.0)
    }

    /// Forecasts the next message of a person who waits for it in a campaign; `None` if they do not.
    pub async fn next_message(
        &self,
        account: &str,
        (campaign, referral): (&str, ReferralId),
        now: Timestamp,
    ) -> Result<Option<NextMessage>, Error> {
        let in_force = self.in_force().await?;
        let selector = AccountSelector::Names(vec![account.to_owned()]);
        let tree = Tree { desired: &in_force.desired, plan: &Plan::default() };
        Ok(self.look(&[&selector], &[tree], &in_force, Some((campaign, referral)), now).await?.1)
    }

    async fn look(
        &self,
        selectors: &[&AccountSelector],
        trees: &[Tree<'_>],
        in_force: &InForce,
        watched: Option<Watched<'_>>,
        now: Timestamp,
    ) -> Result<(Vec<Foreseen>, Option<NextMessage>), Error> {
        let mut next = None;
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
            let mut moved = Vec::new();
            for scene in &scenes {
                let mut db =
                    self.pool.acquire().await.map_err(Error::during("read the people whom an edit reaches"))?;
                moved.push(Moved::of(edited::moved(&mut db, &scene.edits, accounts).await?));
            }
            for member in &members {
                let looks = scenes.iter().zip(&moved).zip(&waiting);
                let looked: Vec<Looked> = looks
                    .map(|((scene, moved), waiting)| {
                        scene.look(member, &runs, (&people, moved), (waiting, watched), now)
                    })
                    .collect();
                let (mut trees, mut refused, mut pausing) = (Vec::new(), Vec::new(), Vec::new());
                for one in looked {
                    trees.push(one.outlooks);
                    refused.push(one.refused);
                    pausing.push(one.pausing);
                    next = next.or(one.next);
                }
                found.push(Foreseen {
                    account: member.lane.account,
                    name: member.name.clone(),
                    zone: member.lane.zone.clone(),
                    subscription_ends_at: member.lane.facts.subscription_ends_at,
                    trees,
                    refused,
                    pausing,
                });
            }
        }
        Ok((found, next))
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
            is_over: false,
        };
        let seekers: Vec<Seeker> = open.map(seeker).collect();
        if seekers.is_empty() {
            return Ok(HashMap::new());
        }
        self.waiting_for(&earlier.lives(asked.name, asked.id), asked.spec, &seekers, at).await
    }
}

/// The forecast of one account under one tree, by campaign.
#[derive(Default)]
struct Looked {
    outlooks: BTreeMap<Name, Outlook>,
    refused: BTreeMap<Name, Finish>,
    pausing: BTreeMap<Name, Finish>,
    /// The next message of the watched person.
    next: Option<NextMessage>,
}

/// A tree prepared for the forecast of accounts.
struct Scene<'a> {
    /// The campaigns in the order of enrollment: those with an id first, then the new ones.
    campaigns: Vec<Asked<'a>>,
    /// The index of each campaign in `campaigns`.
    places: HashMap<&'a Name, usize>,
    order: Order,
    policies: Policies,
    /// The edits that move people under way.
    edits: Edits,
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
        let edit = |asked: &Asked<'_>| {
            let edit = under_way((asked.name, &in_force.desired), (asked.name, tree.desired));
            Some((asked.id, edit.filter(|_| asked.touched && asked.id.0 > 0)?))
        };
        let edits = campaigns.iter().filter_map(edit).collect();
        let places = campaigns.iter().enumerate().map(|(at, asked)| (asked.name, at)).collect();
        let repoliced = spoken_of(tree.plan, [tree.desired, &in_force.desired]).collect();
        Self { campaigns, places, order, edits, policies: tree.desired.policies(), repoliced }
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
        (people, moved): (&People, &Moved),
        (waiting, watched): (&[HashMap<AccountId, Waiting>], Option<Watched<'_>>),
        now: Timestamp,
    ) -> Looked {
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
            return Looked::default();
        }
        let groups =
            people.groups(lane.account, (&ids, moved), &queues, watched.map(|(_, referral)| referral.0), (now, today));
        let next = watched.and_then(|(campaign, referral)| {
            let run = names.iter().position(|name| name.as_str() == campaign)?;
            let group = groups.iter().find(|group| group.referrals == [referral.0])?;
            let Place::Active { due_at, .. } = group.places[run] else { return None };
            Some(next_message(&account, &each, &groups, Watch { run, referral: referral.0, due_at }, now))
        });
        let Admitted { outlooks, refused, pausing } = admit(&account, &each, &groups, now);
        let by_name = |runs: BTreeMap<usize, Finish>| {
            runs.into_iter().map(|(run, finish)| (names[run].clone(), finish)).collect()
        };
        let (refused, pausing) = (by_name(refused), by_name(pausing));
        Looked { outlooks: names.into_iter().zip(outlooks).collect(), refused, pausing, next }
    }
}
