//! Notes that precede a report's figures: campaigns and accounts that cannot send in the period, and why.

use std::collections::{BTreeMap, BTreeSet};

use super::report::{Campaign, Report};
use super::tally::Found;
use crate::core::dispatch::program::Program;
use crate::core::domain::{Opening, Timestamp, Zone};
use crate::core::lifecycle::run::Reason;
use crate::core::manifest::desired::{Campaign as Spec, DesiredState, Schedule};

/// Returns the notes about `report`, one sentence each.
pub(super) fn notes(found: &Found, program: &Program, report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    if report.totals.figures.sent == 0 {
        notes.push("Not one message leaves in these days.".to_owned());
    }
    if report.campaigns.is_empty() {
        notes.push("There is no campaign in the files.".to_owned());
    }
    let specs: BTreeMap<&str, &Spec> =
        program.campaigns().map(|(_, campaign)| (campaign.name.as_str(), &campaign.spec)).collect();
    for campaign in &report.campaigns {
        if let Some(spec) = specs.get(campaign.name.as_str()) {
            notes.extend(of_campaign(campaign, spec, found, report));
        }
    }
    notes.extend(faults(report));
    notes.extend(of_accounts(found, report));
    notes
}

/// Returns the first reason why a campaign enrolls or sends nothing, if there is one.
fn of_campaign(campaign: &Campaign, spec: &Spec, found: &Found, report: &Report) -> Option<String> {
    let name = &campaign.name;
    let state = match spec.state {
        DesiredState::Active => None,
        DesiredState::Draft => Some("a draft"),
        DesiredState::Paused => Some("paused"),
        DesiredState::Cancelled => Some("cancelled"),
    };
    if let Some(state) = state {
        return Some(format!("`{name}` is {state} in its manifest: it takes nobody and sends nothing."));
    }
    if campaign.runs == 0 {
        return Some(format!("`{name}` is for none of the accounts there are."));
    }
    if let Some(note) = never_open(name, spec, found, report) {
        return Some(note);
    }
    if let Some(note) = silent(campaign, found, report) {
        return Some(note);
    }
    (campaign.figures.enrolled == 0 && campaign.figures.active == 0 && campaign.figures.sent == 0).then(|| {
        format!("`{name}` enrolls nobody in these days: all people that match are in it already, or nobody matches.")
    })
}

/// Returns a note if a campaign sends nothing and none of its accounts can send at the start.
fn silent(campaign: &Campaign, found: &Found, report: &Report) -> Option<String> {
    let mute: BTreeSet<&str> = found
        .accounts
        .iter()
        .filter(|account| !account.can_send(report.from))
        .map(|account| account.external_id.as_str())
        .collect();
    let mut runs = report.runs.iter().filter(|run| run.campaign == campaign.name).peekable();
    let all = runs.peek().is_some() && runs.all(|run| mute.contains(run.account.as_str()));
    let accounts = counted(campaign.runs, "account");
    (campaign.figures.sent == 0 && all)
        .then(|| format!("`{}` sends nothing: of its {accounts}, none can send.", campaign.name))
}

/// Returns a note if the schedule has no open window for any account in the period.
fn never_open(name: &str, spec: &Spec, found: &Found, report: &Report) -> Option<String> {
    let own = spec.schedule.timezone.as_ref();
    let mut zones: BTreeMap<&str, &Zone> = BTreeMap::new();
    for account in &found.accounts {
        let zone = own.unwrap_or(&account.zone);
        zones.insert(zone.as_str(), zone);
    }
    let zones = || zones.values().copied();
    let end = zones().filter_map(|zone| Some((spec.schedule.end_at?.at(zone), zone))).max_by_key(|(end, _)| *end);
    if let Some((end, zone)) = end.filter(|(end, _)| *end <= report.from) {
        return Some(format!("`{name}` sends nothing: its schedule ended on {}.", zone.date(end)));
    }
    let first = zones().filter_map(|zone| Some((first_opening(&spec.schedule, zone, report.from)?, zone)));
    match first.min_by_key(|(at, _)| *at) {
        None => Some(format!("`{name}` can never send: its schedule has no window that opens.")),
        Some((at, zone)) if at >= report.until => {
            Some(format!("`{name}` sends nothing in these days: its first window opens on {}.", zone.date(at)))
        }
        Some(_) => None,
    }
}

/// Returns the first instant at or after `from` at which a window of the schedule is open, or `None` if there is none.
fn first_opening(schedule: &Schedule, zone: &Zone, from: Timestamp) -> Option<Timestamp> {
    let start = schedule.start_at.map_or(from, |start| start.at(zone).max(from));
    let first = match schedule.windows.opening(zone, start) {
        Opening::Open(_) => start,
        Opening::Opens(at) => at,
        Opening::Never => return None,
    };
    schedule.end_at.is_none_or(|end| first < end.at(zone)).then_some(first)
}

/// Returns a note for each error message with which runs stopped because a message could not be rendered.
fn faults(report: &Report) -> Vec<String> {
    let mut faults: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for run in report.runs.iter().filter(|run| run.reason == Reason::TemplateError.as_str()) {
        *faults.entry((&run.campaign, &run.message)).or_default() += 1;
    }
    let note = |((campaign, message), runs)| format!("`{campaign}` stops for {}: {message}.", counted(runs, "account"));
    faults.into_iter().map(note).collect()
}

fn of_accounts(found: &Found, report: &Report) -> Vec<String> {
    let ends = |from, until| {
        let end = found.accounts.iter().filter_map(|account| account.facts.subscription_ends_at);
        end.filter(|end| *end > from && *end <= until).count() as u64
    };
    let over = ends(chrono::DateTime::<chrono::Utc>::MIN_UTC, report.from);
    let ending = ends(report.from, report.until);
    let away = found.accounts.iter().filter(|account| !account.facts.connected).count() as u64;
    [
        (over, "send", "nothing: the subscription is over at the start"),
        (ending, "stop", "during these days, when the subscription ends"),
        (away, "send", "nothing: the account is not connected"),
    ]
    .into_iter()
    .filter(|(accounts, ..)| *accounts > 0)
    .map(|(accounts, verb, rest)| {
        format!("{} {verb}{} {rest}.", counted(accounts, "account"), if accounts == 1 { "s" } else { "" })
    })
    .collect()
}

fn counted(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
