//! The effect of an edit, as text for a terminal.

use super::text::{notes, section};
use crate::cli::rows::phase;
use crate::cli::table::{Cell, Table, counted, thousands, whole};
use crate::core::domain::NaiveDate;
use crate::time_machine::compare::{CampaignSide, Change, Comparison, RunSide};

/// Maximum rows of runs and days.
const ROWS: usize = 15;

/// Renders the whole comparison, without a final line break.
pub(super) fn render(comparison: &Comparison, colour: bool) -> String {
    let (before, after) = (&comparison.before, &comparison.after);
    let days = counted((after.report.until - after.report.from).num_days(), "day");
    let from = after.report.from.format("%Y-%m-%d %H:%M");
    let headline = format!("{days} from {from} UTC, by the files of `{}` and by those {}:", before.name, after.name);
    if comparison.difference.is_empty() {
        return format!("{headline} not one message, person or date is different.\n\n{}", notes(&after.report))
            .trim_end()
            .to_owned();
    }
    let parts = [
        format!("{headline} {}.", first(comparison)),
        notes(&after.report),
        section("In all", totals(comparison, colour)),
        section("Campaigns", campaigns(comparison, colour)),
        section("Runs that finish on another day", runs(comparison, colour)),
        section("Messages per day", per_day(comparison, colour)),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// Summarizes the difference in part of a sentence.
fn first(comparison: &Comparison) -> String {
    let difference = &comparison.difference;
    let counted_noun = |what: &str, noun: &str| {
        let change = difference.totals.iter().find(|change| change.what == what)?;
        Some(format!("{} {noun}", signed(change)))
    };
    let mut parts: Vec<String> = [counted_noun("sent", "messages"), counted_noun("reached", "people written to")]
        .into_iter()
        .flatten()
        .collect();
    let moved = whole(difference.runs.len() as u64);
    if moved > 0 {
        parts.push(format!(
            "{} on another day",
            if moved == 1 { "1 run finishes".to_owned() } else { format!("{} runs finish", thousands(moved)) }
        ));
    }
    if let Some(day) = difference.first_day {
        parts.push(format!("the first difference on {day}"));
    }
    if parts.is_empty() { "the same messages on the same days, other ends".to_owned() } else { parts.join(", ") }
}

fn signed(change: &Change) -> String {
    let by = whole(change.after) - whole(change.before);
    if by > 0 { format!("+{}", thousands(by)) } else { thousands(by).replace('-', "−") }
}

fn totals(comparison: &Comparison, colour: bool) -> String {
    let mut table = Table::new().text([""]).numbers(["BEFORE", "AFTER", "CHANGE"]);
    for change in &comparison.difference.totals {
        let cells = [change.before, change.after].map(|n| Cell::count(whole(n)));
        table.row([Cell::from(meaning(change.what))].into_iter().chain(cells).chain([Cell::from(signed(change))]));
    }
    if comparison.difference.totals.is_empty() { String::new() } else { table.render(colour) }
}

/// Returns the name of a count, in words.
fn meaning(what: &'static str) -> &'static str {
    match what {
        "sent" => "messages",
        "failed" => "messages that failed",
        "uncertain" => "messages nobody knows of",
        "enrolled" => "enrolled",
        "reached" => "people written to",
        "unreached" => "people never written to",
        "completed" => "got every day",
        "exited" => "left early",
        "active" => "on their way at the end",
        "paid" => "paid",
        "stopped" => "answered STOP",
        other => other,
    }
}

fn campaigns(comparison: &Comparison, colour: bool) -> String {
    let mut table = Table::new()
        .text(["CAMPAIGN", "SIDE"])
        .numbers(["ENROLLED", "SENT", "DONE", "EXITED", "ACTIVE"])
        .text(["LAST MESSAGE", "FINISHES"]);
    for campaign in &comparison.difference.campaigns {
        for (side, figures) in [("before", &campaign.before), ("after", &campaign.after)] {
            let name = if side == "before" { &*campaign.name } else { "" };
            let mut cells = vec![Cell::from(name), Cell::from(side)];
            match figures {
                Some(figures) => cells.extend(side_cells(figures)),
                None => cells.extend((0..7).map(|_| Cell::maybe(None::<&str>))),
            }
            table.row(cells);
        }
    }
    if comparison.difference.campaigns.is_empty() { String::new() } else { table.render(colour) }
}

fn side_cells(side: &CampaignSide) -> Vec<Cell> {
    let counts = [side.enrolled, side.sent, side.completed, side.exited, side.active];
    let days = [side.last_sent_on, side.finished_on];
    counts.map(|n| Cell::count(whole(n))).into_iter().chain(days.map(date)).collect()
}

fn date(day: Option<NaiveDate>) -> Cell {
    Cell::maybe(day.map(|day| day.to_string()))
}

fn runs(comparison: &Comparison, colour: bool) -> String {
    let runs = &comparison.difference.runs;
    if runs.is_empty() {
        return String::new();
    }
    let mut table = Table::new().text(["CAMPAIGN", "ACCOUNT", "BEFORE", "FINISHES", "AFTER", "FINISHES"]);
    for run in runs.iter().take(ROWS) {
        let side = |side: Option<RunSide>| match side {
            Some(side) => [phase(side.phase), date(side.finished_on)],
            None => [Cell::maybe(None::<&str>), date(None)],
        };
        let ends = [run.before, run.after].map(side).into_iter().flatten();
        table.row([Cell::from(&*run.campaign), Cell::from(&*run.account)].into_iter().chain(ends));
    }
    table.render(colour) + &more(runs.len())
}

fn per_day(comparison: &Comparison, colour: bool) -> String {
    let days = &comparison.difference.days;
    if days.is_empty() {
        return String::new();
    }
    let mut table = Table::new().text(["DAY"]).numbers(["BEFORE", "AFTER", "CHANGE"]);
    for day in days.iter().take(ROWS) {
        let change = Change { what: "sent", before: day.before, after: day.after };
        table.row([
            Cell::from(day.date.format("%a %Y-%m-%d").to_string()),
            Cell::count(whole(day.before)),
            Cell::count(whole(day.after)),
            Cell::from(signed(&change)),
        ]);
    }
    table.render(colour) + &more(days.len())
}

fn more(rows: usize) -> String {
    let more = rows.saturating_sub(ROWS);
    if more == 0 {
        String::new()
    } else {
        format!("\n… and {} more; -o json shows all", thousands(whole(more as u64)))
    }
}
