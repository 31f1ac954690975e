//! Estimates of a campaign before it enrolls anybody.
//!
//! An estimate says how many people the campaign enrolls, why it leaves out the others, how long it lasts and which
//! campaigns it delays. Estimating writes nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::core::domain::{AccountId, CampaignId, NaiveDate, Name, Timestamp};
use crate::core::manifest::Desired;
use crate::core::manifest::desired::DesiredState;
use crate::core::plan::forecast::{Endless, Limit, Total};
use crate::core::plan::{Outlives, Slip, outlives, plan, slips};
use crate::store;
use crate::store::{Match, Store, Tree, WhyNot};

/// An estimate: `relancectl estimate -o json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    pub format: u8,
    pub campaign: Name,
    /// The state in the manifest; the estimate assumes `active`.
    pub manifest_state: DesiredState,
    /// Accounts for which the campaign will have a run.
    pub accounts: u64,
    /// The number of days of its sequence.
    pub messages_each: usize,
    /// People who match and for whom there is room now.
    pub matching: u64,
    /// All other people of the accounts, each under the first reason.
    pub not_matching: Vec<Mismatch>,
    /// The newest matching people, without data that identifies them.
    pub sample: Vec<Match>,
    /// People who are already in the campaign's runs.
    pub active: u64,
    /// People who will be enrolled, including those who wait for room or registered too recently.
    pub enrolled: u64,
    /// Enrolled people whose accounts can send.
    pub reached: u64,
    /// The largest number of people enrolled on one day.
    pub enrolled_per_day: u64,
    pub messages: u64,
    /// The largest number of messages on one day, over all accounts.
    pub messages_per_day: u64,
    /// True if the same number of messages leaves every day, except on the last days.
    pub is_even: bool,
    /// Local days from the first message to the last.
    pub days: u64,
    pub first_at: Option<Timestamp>,
    /// The local day of the last message.
    pub last_on: Option<NaiveDate>,
    /// The instant at which the last of the runs that finish does so.
    pub finish_at: Option<Timestamp>,
    /// The numbers of runs that never finish, by reason.
    pub never: Vec<Never>,
    /// The limit that delays the last run to finish.
    pub limit: Option<Limit>,
    /// Other campaigns that finish at a different time because of this one.
    pub slips: Vec<Slip>,
    /// Runs that would outlive their account's subscription: the campaign's own, and others because of it.
    pub outlives: Vec<Outlives>,
}

/// The number of people who are not enrolled for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    pub reason: WhyNot,
    pub people: u64,
}

/// The number of runs that never finish for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Never {
    pub reason: Endless,
    pub runs: u64,
}

/// Estimates the campaign `name` of `desired`, which must have no errors, and shows at most `sample` people.
///
/// The estimate takes all other campaigns from `desired`, applied or not.
///
/// # Panics
/// Panics if `desired` has no such campaign.
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

/// Returns the files with the campaign `active`, since an estimate of a draft should describe the active campaign.
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

/// Returns the number of people over all accounts who are enrolled now, with the reasons that keep the others out.
fn count(counts: Vec<(AccountId, Option<WhyNot>, u64)>) -> (u64, Vec<Mismatch>) {
    let mut all: BTreeMap<Option<WhyNot>, u64> = BTreeMap::new();
    for (_, reason, people) in counts {
        *all.entry(reason).or_default() += people;
    }
    let matching = all.remove(&None).unwrap_or_default();
    let others = all.into_iter().filter_map(|(reason, people)| Some(Mismatch { reason: reason?, people }));
    (matching, others.collect())
}
