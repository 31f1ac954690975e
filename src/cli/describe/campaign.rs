//! `relancectl describe campaign`.

use serde::Serialize;

use crate::cli::layout::{facts, footer, maybe, section, when};
use crate::cli::rows::{changes, quota};
use crate::cli::table::{Cell, Table, Tone, counted, one_line, paint, thousands};
use crate::cli::{in_force, known, overrides};
use crate::core::domain::Timestamp;
use crate::core::manifest::desired;
use crate::core::manifest::desired::{AccountSelector, CampaignType, Enrollment, Filter, Subscription, ZoneOf};
use crate::store::Store;
use crate::store::query::{Campaign, DayCounts, Override, Revision, Wanted};

#[derive(Debug, Serialize)]
pub(super) struct Description {
    campaign: Campaign,
    /// The campaign in force, with references and defaults resolved; null once the manifest is removed, and while it
    /// cannot be read.
    spec: Option<desired::Campaign>,
    revision: Option<Revision>,
    days: Vec<DayCounts>,
    /// The overrides that may apply to its runs.
    overrides: Vec<Override>,
}

pub(super) async fn look(store: &Store, name: &str, now: Timestamp) -> anyhow::Result<Description> {
    known::campaign(store, name).await?;
    let wanted = Wanted { campaign: Some(name.to_owned()), ..Wanted::default() };
    let mut campaign = store.campaigns(&wanted).await?.into_iter().next().expect("a campaign that is known has a row");
    let program = in_force::program(store).await?;
    campaign.frozen = program.why_frozen(name).filter(|_| campaign.removed_at.is_none()).map(ToString::to_string);
    let spec = program.spec(name).cloned();
    let revision = match campaign.revision {
        Some(id) => store.revision(id).await?,
        None => None,
    };
    let days = store.campaign_days(name, None).await?;
    let mut overrides = store.overrides(now).await?;
    overrides.retain(|order| order.campaign.as_deref().is_none_or(|named| named == name));
    Ok(Description { campaign, spec, revision, days, overrides })
}

pub(super) fn text(seen: &Description, _wide: bool, now: Timestamp, colour: bool) -> String {
    let Description { campaign, spec, revision, days, overrides } = seen;
    let mut lines = Vec::new();
    if let Some(removed) = campaign.removed_at {
        lines.push(("Removed", paint(&when(removed, now), Tone::Waiting, colour)));
    }
    if let Some(frozen) = &campaign.frozen {
        lines.push(("Frozen", paint(&one_line(frozen), Tone::Bad, colour)));
    }
    if let Some(spec) = spec {
        lines.extend(summary(spec));
    }
    if let Some(revision) = revision {
        let origin = [revision.commit.as_deref(), revision.author.as_deref()].into_iter().flatten();
        let origin = origin.fold(String::new(), |text, part| text + ", " + part);
        let accepted = when(revision.accepted_at, now);
        lines.push(("Changed in", format!("revision {}{origin}, {accepted}: {}", revision.id, changes(revision))));
    }
    let counts = campaign.counts;
    let [enrolled, active, completed, exited] =
        [counts.enrolled, counts.active, counts.completed, counts.exited].map(thousands);
    lines.push(("People", format!("{enrolled} enrolled: {active} active, {completed} completed, {exited} left")));
    lines.push(("Next due", campaign.next_due_at.map_or_else(|| "-".to_owned(), |at| when(at, now))));
    let mut text = facts(&format!("Campaign {}", campaign.name), &lines);

    let phases = campaign.runs;
    let mut runs = Table::new().numbers(["DRAFT", "SCHEDULED", "ACTIVE", "PAUSED", "COMPLETED", "CANCELLED"]);
    let each = [phases.draft, phases.scheduled, phases.active, phases.paused, phases.completed, phases.cancelled];
    runs.row(each.map(Cell::count));
    text += &section(&counted(phases.total(), "run"), &runs.render(colour));
    if !overrides.is_empty() {
        text += &section("Overrides", &overrides::lines(overrides));
    }
    text += &section("Days", &day_table(days, colour));
    text + &footer(now)
}

fn day_table(days: &[DayCounts], colour: bool) -> String {
    if days.is_empty() {
        return "nobody is enrolled yet".to_owned();
    }
    let headers = ["DAY", "WAITING", "SENT", "DELIVERED", "READ", "FAILED", "UNCERTAIN"];
    let mut table = Table::new().numbers(headers);
    for day in days {
        let DayCounts { day, waiting, sent, delivered, read, failed, uncertain } = *day;
        let mut cells = vec![Cell::from(day.to_string())];
        cells.extend([waiting, sent, delivered, read].map(Cell::count));
        cells.extend([failed, uncertain].map(Cell::faults));
        table.row(cells);
    }
    table.render(colour)
}

/// Lists the settings of the manifest, without the ones it leaves out.
fn summary(spec: &desired::Campaign) -> Vec<(&'static str, String)> {
    let kind = match spec.kind {
        CampaignType::Default => "default",
        CampaignType::Filtered => "filtered",
    };
    let state = spec.state.as_str();
    let accounts = match &spec.accounts {
        AccountSelector::All => "all".to_owned(),
        AccountSelector::Names(names) => names.join(", "),
        AccountSelector::MatchLabels(labels) => pairs(labels),
    };
    let enrollment = match spec.enrollment {
        Enrollment::UntilDrained => "until drained",
        Enrollment::Once => "once",
        Enrollment::Continuous => "continuous",
    };
    let mut lines = vec![
        ("Type", format!("{kind}, priority {}", spec.priority)),
        ("Wanted", state.to_owned()),
        ("Accounts", accounts),
        ("Whom", filter(&spec.filter)),
        ("Enrollment", enrollment.to_owned()),
        ("Sequence", spec.sequence.to_string()),
        ("Channel", maybe(spec.channel.as_ref().map_or(Some("that of the account"), |name| Some(name.as_str())))),
        ("Writes", schedule(&spec.schedule)),
    ];
    let limits = [
        (spec.limits.messages_per_day, "messages a day"),
        (spec.limits.targets, "people in all"),
        (spec.limits.daily_enrollments, "people taken a day"),
    ];
    let limits: Vec<String> =
        limits.iter().filter_map(|(n, what)| Some(format!("{} {what}", quota((*n)?, None)))).collect();
    if !limits.is_empty() {
        lines.push(("Limits", format!("{} for each account", limits.join(", "))));
    }
    lines
}

fn pairs(pairs: &std::collections::BTreeMap<String, String>) -> String {
    pairs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
}

fn filter(filter: &Filter) -> String {
    let mut parts = vec![
        match filter.subscription {
            Subscription::Unpaid => "unpaid",
            Subscription::Paid => "paid",
            Subscription::Any => "paid or not",
        }
        .to_owned(),
    ];
    let list = |items: Vec<String>| (!items.is_empty()).then(|| items.join("/"));
    let countries = filter.countries.iter().map(|country| country.as_str().to_owned()).collect();
    parts.extend(list(countries).map(|countries| format!("in {countries}")));
    let languages = filter.languages.iter().map(|language| language.as_str().to_owned()).collect();
    parts.extend(list(languages).map(|languages| format!("speaking {languages}")));
    parts.extend(list(filter.professions.clone()));
    parts.extend(filter.gender.map(|gender| gender.as_str().to_owned()));
    parts.extend(filter.age_min.map(|age| format!("from {age} years")));
    parts.extend(filter.age_max.map(|age| format!("to {age} years")));
    parts.extend(filter.registered_from.map(|at| format!("registered from {}", String::from(at))));
    parts.extend(filter.registered_to.map(|at| format!("registered before {}", String::from(at))));
    parts.extend((!filter.attributes.is_empty()).then(|| pairs(&filter.attributes)));
    parts.extend(filter.exclude_current_targets.then(|| "not in another run".to_owned()));
    parts.join(", ")
}

/// Renders `Mon–Fri 08:00–20:00 in the account's time, from …`.
fn schedule(schedule: &desired::Schedule) -> String {
    let zone = match schedule.zone {
        ZoneOf::Recipient => "the person's time",
        ZoneOf::Account => schedule.timezone.as_ref().map_or("the account's time", |zone| zone.as_str()),
    };
    let mut text = format!("{} in {zone}", schedule.windows);
    if let Some(start) = schedule.start_at {
        text = format!("{text}, from {}", String::from(start));
    }
    if let Some(end) = schedule.end_at {
        text = format!("{text}, until {}", String::from(end));
    }
    text
}
