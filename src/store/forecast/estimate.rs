//! What a campaign is going to do, before anybody is enrolled: whom it takes, why not the others, how long it lasts and
//! who waits because of it. Reads and writes nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::core::domain::{AccountId, CampaignId, NaiveDate, Name, Timestamp};
use crate::core::manifest::Desired;
use crate::core::manifest::desired::DesiredState;
use crate::core::plan::forecast::{Endless, Limit, Total};
use crate::core::plan::{Outlives, Slip, outlives, plan, slips};
use crate::store;
use crate::store::{Match, Store, Tree, WhyNot};

/// The answer: `relancectl estimate -o json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    pub format: u8,
    pub campaign: Name,
    /// What the manifest says; the estimate is made as if it said `active`.
    pub manifest_state: DesiredState,
    /// Accounts for which it is going to have a run.
    pub accounts: u64,
    /// Days of its sequence.
    pub messages_each: usize,
    /// People who match and for whom there is room now.
    pub matching: u64,
    /// Everybody else of the accounts, each under their first reason.
    pub not_matching: Vec<Mismatch>,
    /// The newest of those who match, without what would tell who they are.
    pub sample: Vec<Match>,
    /// People already in its runs.
    pub active: u64,
    /// People that are going to be taken, those who wait for room or are too young now included.
    pub enrolled: u64,
    /// Those of them for whose accounts anything leaves.
    pub reached: u64,
    /// The most that are taken on one day.
    pub enrolled_per_day: u64,
    pub messages: u64,
    /// The most that leave on one day, over all accounts.
    pub messages_per_day: u64,
    /// Whether as many leave on every day, but for the last ones.
    pub is_even: bool,
    /// From the first message to the last, by local days.
    pub days: u64,
    pub first_at: Option<Timestamp>,
    /// The local day of the last message.
    pub last_on: Option<NaiveDate>,
    /// When the last run ends that does.
    pub finish_at: Option<Timestamp>,
    /// How many runs do not end, by what keeps them from it.
    pub never: Vec<Never>,
    /// What holds up the run that ends last.
    pub limit: Option<Limit>,
    /// Other campaigns that end at another time with it than without it.
    pub slips: Vec<Slip>,
    /// Runs that would outlive the subscription of their account: its own, and others because of it.
    pub outlives: Vec<Outlives>,
}

/// People who are not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    pub reason: WhyNot,
    pub people: u64,
}

/// Runs without an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Never {
    pub reason: Endless,
    pub runs: u64,
}

/// Estimates the campaign `name` of `desired`, which has no errors, with at most `sample` people shown. Other campaigns
/// are taken as `desired` has them, applied or not.
///
/// # Panics
/// When `desired` has no such campaign.
pub async fn estimate(
    store: &Store,
    desired: &Desired,
    name: &Name,
    sample: u32,
    now: Timestamp,
) -> Result<Estimate, store::Error> {
    let in_force = store.in_force().await?;
    let with = running(desired, name);
    let without = gone(desired, name);
    let plans = [&without, &with].map(|desired| plan(&desired.to_objects(), &in_force.objects, &BTreeMap::new()));
    let trees = [Tree { desired: &without, plan: &plans[0] }, Tree { desired: &with, plan: &plans[1] }];

    let spec = &with.campaigns[name];
    let id = in_force.campaigns.get(name).copied().unwrap_or(CampaignId(0));
    let seekers = store.seekers(&spec.accounts, &with.policies()).await?;
    let seekers = store.with_room(id, spec, seekers, now).await?;
    let (matching, not_matching) = count(store.count_mismatches((name, id), spec, &seekers, now).await?);
    let foreseen = store.forecast(&[&spec.accounts], &trees, &in_force, now).await?;
    let total = Total::of(foreseen.iter().filter_map(|account| account.trees[1].get(name)));
    Ok(Estimate {
        format: 1,
        campaign: name.clone(),
        manifest_state: desired.campaigns[name].state,
        accounts: total.runs,
        messages_each: with.sequences.get(&spec.sequence).map_or(0, |sequence| sequence.days.len()),
        matching,
        not_matching,
        sample: store.sample_matches((name, id), spec, &seekers, sample, now).await?,
        active: store.count_active(id).await?,
        enrolled: total.enrolled,
        reached: total.reached,
        enrolled_per_day: total.enrolled_per_day,
        messages: total.messages_total(),
        messages_per_day: total.messages_per_day(),
        is_even: total.is_even(),
        days: total.days(),
        first_at: total.first_at,
        last_on: total.messages.keys().last().copied(),
        finish_at: total.finish_at,
        never: total.never.into_iter().map(|(reason, runs)| Never { reason, runs }).collect(),
        limit: total.limit,
        slips: slips(&foreseen, &with),
        outlives: outlives(&foreseen, &with, &[name.clone()].into()),
    })
}

/// The files as if the campaign were `active`: who asks about a draft wants to know what it is going to do.
fn running(desired: &Desired, name: &Name) -> Desired {
    let mut desired = desired.clone();
    desired.campaigns.get_mut(name).expect("the campaign is there").state = DesiredState::Active;
    desired
}

fn gone(desired: &Desired, name: &Name) -> Desired {
    let mut desired = desired.clone();
    desired.campaigns.remove(name);
    desired
}

/// Adds up over all accounts: who is taken now, and why the others are not.
fn count(counts: Vec<(AccountId, Option<WhyNot>, u64)>) -> (u64, Vec<Mismatch>) {
    let mut all: BTreeMap<Option<WhyNot>, u64> = BTreeMap::new();
    for (_, reason, people) in counts {
        *all.entry(reason).or_default() += people;
    }
    let matching = all.remove(&None).unwrap_or_default();
    let others = all.into_iter().filter_map(|(reason, people)| Some(Mismatch { reason: reason?, people }));
    (matching, others.collect())
}
