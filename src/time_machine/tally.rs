//! Conversion of the database's counts into a report; pure except for [`Found::read`].

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::report::{
    Account, Busiest, Campaign, Conflicts, Day, FORMAT, Figures, Pair, Reason, Report, Run, SharedCap, Totals,
};
use super::settings::Settings;
use crate::core::dispatch::program::Program;
use crate::core::domain::{AccountId, CampaignId, NaiveDate, Timestamp};
use crate::core::manifest::desired::CampaignType;
use crate::store;
use crate::store::Store;
use crate::store::query::report::{AccountFacts, DayTotals, EndTotals, FullLane, Overlap, RunTotals, Unreached};

/// The database's counts at the end of a simulation.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) accounts: Vec<AccountFacts>,
    pub(super) names: BTreeMap<CampaignId, String>,
    pub(super) days: Vec<DayTotals>,
    pub(super) runs: Vec<RunTotals>,
    ends: Vec<EndTotals>,
    overlaps: Vec<Overlap>,
    people: u64,
    reached: u64,
    unreached: Vec<(Unreached, u64)>,
}

/// Counts of a simulation that the database does not keep.
#[derive(Debug, Default)]
pub(super) struct Observed {
    pub(super) paid: u64,
    pub(super) stopped: u64,
    full: BTreeMap<(AccountId, NaiveDate), BTreeSet<CampaignId>>,
}

impl Observed {
    pub(super) fn note(&mut self, lanes: Vec<FullLane>) {
        for FullLane { account, day, waiting } in lanes {
            self.full.entry((account, day)).or_default().extend(waiting);
        }
    }
}

impl Found {
    pub(super) async fn read(
        store: &Store,
        program: &Program,
        from: Timestamp,
        now: Timestamp,
    ) -> Result<Self, store::Error> {
        let (people, reached) = store.count_people(from).await?;
        Ok(Self {
            accounts: store.account_facts(&program.policies).await?,
            names: store.campaign_numbers().await?,
            days: store.tally_days(from).await?,
            runs: store.tally_runs(from).await?,
            ends: store.tally_ends(from).await?,
            overlaps: store.overlaps(from).await?,
            people,
            reached,
            unreached: store.unreached(program, now).await?,
        })
    }

    pub(super) fn account(&self, id: AccountId) -> &AccountFacts {
        let at = self.accounts.binary_search_by_key(&id, |account| account.id);
        &self.accounts[at.expect("messages and runs have an account")]
    }

    fn name(&self, id: CampaignId) -> String {
        self.names.get(&id).cloned().unwrap_or_default()
    }
}

/// Builds the report without its notes.
pub(super) fn report(found: &Found, program: &Program, settings: &Settings, seen: &Observed) -> Report {
    let dates = dates(found, settings);
    let runs = runs(found);
    let campaigns = campaigns(found, program);
    let mut unreached: Vec<Reason> = found
        .unreached
        .iter()
        .map(|(reason, people)| Reason { reason: *reason, meaning: reason.meaning(), people: *people })
        .collect();
    unreached.sort_by_key(|reason| std::cmp::Reverse(reason.people));
    let totals = Totals {
        accounts: found.accounts.len() as u64,
        people: found.people,
        reached: found.reached,
        unreached: unreached.iter().map(|reason| reason.people).sum(),
        figures: campaigns.iter().fold(Figures::default(), |sum, campaign| sum.and(&campaign.figures)),
        paid: seen.paid,
        stopped: seen.stopped,
    };
    Report {
        format: FORMAT,
        from: settings.from,
        until: settings.until(),
        seed: settings.seed,
        rates: settings.rates,
        notes: Vec::new(),
        totals,
        days: days(found, &dates),
        campaigns,
        runs,
        accounts: accounts(found, settings, &dates),
        unreached,
        conflicts: conflicts(found, seen),
    }
}

/// Returns every date that is a local day of some account, or of UTC if there are no accounts.
fn dates(found: &Found, settings: &Settings) -> Vec<NaiveDate> {
    let last = settings.until() - TimeDelta::microseconds(1);
    let (utc_first, utc_last) = (settings.from.date_naive(), last.date_naive());
    let first = found.accounts.iter().map(|account| account.zone.date(settings.from)).min().unwrap_or(utc_first);
    let last = found.accounts.iter().map(|account| account.zone.date(last)).max().unwrap_or(utc_last);
    first.iter_days().take_while(|date| *date <= last).collect()
}

fn days(found: &Found, dates: &[NaiveDate]) -> Vec<Day> {
    let mut days: BTreeMap<NaiveDate, Day> =
        dates.iter().map(|date| (*date, Day { date: *date, sent: 0, campaigns: BTreeMap::new() })).collect();
    for tally in found.days.iter().filter(|tally| tally.sent > 0) {
        let Some(day) = tally.day.and_then(|date| days.get_mut(&date)) else { continue };
        day.sent += tally.sent;
        *day.campaigns.entry(found.name(tally.campaign)).or_default() += tally.sent;
    }
    days.into_values().collect()
}

/// Returns the first and the last day on which messages left.
fn span(days: &[&DayTotals]) -> (Option<NaiveDate>, Option<NaiveDate>) {
    let sent = || days.iter().filter(|tally| tally.sent > 0).filter_map(|tally| tally.day);
    (sent().min(), sent().max())
}

fn runs(found: &Found) -> Vec<Run> {
    let mut days: BTreeMap<(AccountId, CampaignId), Vec<&DayTotals>> = BTreeMap::new();
    for tally in &found.days {
        days.entry((tally.account, tally.campaign)).or_default().push(tally);
    }
    let mut runs: Vec<Run> = found
        .runs
        .iter()
        .map(|run| {
            let days = days.get(&(run.account, run.campaign)).map(Vec::as_slice).unwrap_or_default();
            let (first_sent_on, last_sent_on) = span(days);
            Run {
                campaign: found.name(run.campaign),
                account: found.account(run.account).external_id.clone(),
                phase: run.phase,
                reason: run.reason.clone(),
                message: run.detail.to_string(),
                enrolled: run.enrolled,
                sent: days.iter().map(|tally| tally.sent).sum(),
                active: run.active,
                started_at: run.started_at,
                finished_at: run.finished_at,
                first_sent_on,
                last_sent_on,
                next_due_at: run.next_due_at,
            }
        })
        .collect();
    runs.sort_by(|a, b| (&a.campaign, &a.account).cmp(&(&b.campaign, &b.account)));
    runs
}

fn campaigns(found: &Found, program: &Program) -> Vec<Campaign> {
    let mut ids: BTreeMap<String, Vec<CampaignId>> = BTreeMap::new();
    let known = found.runs.iter().map(|run| run.campaign).chain(program.campaigns().map(|(id, _)| id));
    for id in known.collect::<BTreeSet<_>>() {
        ids.entry(found.name(id)).or_default().push(id);
    }
    ids.into_iter().map(|(name, ids)| campaign(found, program, name, &ids)).collect()
}

/// Builds the figures of a campaign name, including earlier campaigns of that name whose manifests were removed.
fn campaign(found: &Found, program: &Program, name: String, ids: &[CampaignId]) -> Campaign {
    let spec = ids.iter().find_map(|id| program.campaign(*id)).map(|campaign| &campaign.spec);
    let runs: Vec<&RunTotals> = found.runs.iter().filter(|run| ids.contains(&run.campaign)).collect();
    let days: Vec<&DayTotals> = found.days.iter().filter(|tally| ids.contains(&tally.campaign)).collect();
    let finished: Vec<Timestamp> = runs.iter().filter_map(|run| run.finished_at).collect();
    let (first_sent_on, last_sent_on) = span(&days);
    let mut figures = Figures {
        enrolled: runs.iter().map(|run| run.enrolled).sum(),
        sent: days.iter().map(|tally| tally.sent).sum(),
        failed: days.iter().map(|tally| tally.failed).sum(),
        uncertain: days.iter().map(|tally| tally.uncertain).sum(),
        active: runs.iter().map(|run| run.active).sum(),
        ..Figures::default()
    };
    for end in found.ends.iter().filter(|end| ids.contains(&end.campaign)) {
        match end.exit {
            None => figures.completed += end.people,
            Some(exit) => *figures.exited.entry(exit.as_str()).or_default() += end.people,
        }
    }
    Campaign {
        name,
        kind: spec.map(|spec| match spec.kind {
            CampaignType::Default => "default",
            CampaignType::Filtered => "filtered",
        }),
        priority: spec.map(|spec| spec.priority),
        runs: runs.len() as u64,
        finished_runs: finished.len() as u64,
        figures,
        first_sent_on,
        last_sent_on,
        finished_at: finished.iter().copied().max().filter(|_| finished.len() == runs.len()),
    }
}

fn accounts(found: &Found, settings: &Settings, dates: &[NaiveDate]) -> Vec<Account> {
    let mut taken: BTreeMap<AccountId, (u64, Vec<u64>)> = BTreeMap::new();
    for tally in &found.days {
        let first = found.account(tally.account).zone.date(settings.from);
        let (sent, days) = taken.entry(tally.account).or_insert_with(|| (0, vec![0; dates.len()]));
        *sent += tally.sent;
        if let Some(at) = tally.day.filter(|day| *day >= first).and_then(|day| dates.binary_search(&day).ok()) {
            days[at] += tally.taken;
        }
    }
    let mut accounts: Vec<Account> = found
        .accounts
        .iter()
        .map(|facts| {
            let (sent, days) = taken.remove(&facts.id).unwrap_or_else(|| (0, vec![0; dates.len()]));
            account(facts, sent, days, dates)
        })
        .collect();
    accounts.sort_by(|a, b| a.id.cmp(&b.id));
    accounts
}

fn account(facts: &AccountFacts, sent: u64, taken: Vec<u64>, dates: &[NaiveDate]) -> Account {
    let cap = facts.policy.messages_per_day;
    let sending_days = taken.iter().filter(|n| **n > 0).count() as u64;
    let days_at_cap = cap.map_or(0, |cap| taken.iter().filter(|n| **n >= u64::from(cap)).count() as u64);
    let most = taken.iter().copied().max().unwrap_or_default();
    let busiest = dates.iter().zip(&taken).find(|(_, n)| **n == most && most > 0);
    Account {
        id: facts.external_id.clone(),
        name: facts.name.clone(),
        timezone: facts.zone.as_str().to_owned(),
        cap,
        sent,
        sending_days,
        days_at_cap,
        share_at_cap: ratio(days_at_cap, dates.len() as u64, 1_000.0),
        average: ratio(taken.iter().sum(), sending_days, 10.0),
        busiest: busiest.map(|(date, messages)| Busiest { date: *date, messages: *messages }),
        taken,
    }
}

/// Returns `part / whole`, rounded to multiples of `1 / steps`.
#[expect(clippy::cast_precision_loss, reason = "counts of days and messages are far below 2^52")]
fn ratio(part: u64, whole: u64, steps: f64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * steps).round() / steps }
}

fn conflicts(found: &Found, seen: &Observed) -> Conflicts {
    let pair = |overlap: &Overlap| {
        let mut campaigns = overlap.campaigns.map(|id| found.name(id));
        campaigns.sort_unstable();
        Pair { campaigns, people: overlap.people, put_off: overlap.put_off }
    };
    let mut pairs: Vec<Pair> = found.overlaps.iter().map(pair).collect();
    pairs.sort_by(|a, b| (b.people, &a.campaigns).cmp(&(a.people, &b.campaigns)));
    let mut shared: BTreeMap<(String, Vec<String>), u64> = BTreeMap::new();
    for ((account, _), waiting) in seen.full.iter().filter(|(_, waiting)| waiting.len() > 1) {
        let mut names: Vec<String> = waiting.iter().map(|id| found.name(*id)).collect();
        names.sort_unstable();
        *shared.entry((found.account(*account).external_id.clone(), names)).or_default() += 1;
    }
    let mut shared_caps: Vec<SharedCap> =
        shared.into_iter().map(|((account, campaigns), days)| SharedCap { account, campaigns, days }).collect();
    shared_caps.sort_by(|a, b| (b.days, &a.account).cmp(&(a.days, &b.account)));
    Conflicts { pairs, shared_caps }
}
