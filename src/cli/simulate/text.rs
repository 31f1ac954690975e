//! A report as text for a terminal: the summary first, then tables of the notable rows.

use std::cmp::Reverse;

use super::chart;
use crate::cli::rows::phase;
use crate::cli::table::{Cell, Table, Tone, counted, one_line, shorten, thousands, time, whole};
use crate::time_machine::report::{Account, Report, Run};

/// Maximum rows of runs and accounts.
const ROWS: usize = 10;
/// Maximum characters of a name: with these the tables fit 80 columns.
const NAME: usize = 18;

/// Renders the whole report, without a final line break.
pub(super) fn render(report: &Report, colour: bool) -> String {
    let days: Vec<_> = report.days.iter().map(|day| (day.date, day.sent)).collect();
    let parts = [
        headline(report),
        notes(report),
        section("Messages per day", chart::per_day(&days, chart::room(), colour)),
        section("Campaigns", campaigns(report, colour)),
        runs(report, colour),
        accounts(report, colour),
        unreached(report, colour),
        conflicts(report, colour),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

pub(super) fn section(title: &str, body: String) -> String {
    if body.is_empty() { body } else { format!("{title}\n\n{body}") }
}

pub(super) fn count(n: u64, noun: &str) -> String {
    counted(whole(n), noun)
}

/// Answers "what will it do" in sentences.
fn headline(report: &Report) -> String {
    let totals = &report.totals;
    let days = (report.until - report.from).num_days();
    let mut lines = vec![
        format!("{} from {} UTC, {}:", counted(days, "day"), time(report.from), count(totals.accounts, "account")),
        format!(
            "{} to {} of {} people.",
            count(totals.figures.sent, "message"),
            thousands(whole(totals.reached)),
            thousands(whole(totals.people)),
        ),
    ];
    let runs = report.runs.len() as u64;
    let finished = report.runs.iter().filter(|run| run.finished_at.is_some()).count() as u64;
    let open = report.runs.iter().filter(|run| run.finished_at.is_none() && run.active == 0).count() as u64;
    let last = report.runs.iter().filter_map(|run| run.finished_at).max();
    match last {
        Some(last) if finished == runs => {
            lines.push(format!("All {} finish, the last on {}.", count(runs, "run"), last.date_naive()));
        }
        _ => {
            let [done, through, rest] = [finished, open, runs - finished - open].map(|n| thousands(whole(n)));
            lines.push(format!(
                "Of {}, {done} finish, and {through} have written to everybody so far.",
                count(runs, "run")
            ));
            if runs > finished + open {
                lines.push(format!("{rest} still have {} to write to.", count(totals.figures.active, "target")));
            }
        }
    }
    if report.rates.paid > 0.0 || report.rates.stop > 0.0 || report.rates.failure > 0.0 {
        let figures = [(totals.paid, "pay"), (totals.stopped, "answer STOP"), (totals.figures.failed, "messages fail")];
        let counts: Vec<String> = figures.iter().map(|(n, what)| format!("{} {what}", thousands(whole(*n)))).collect();
        lines.push(format!("By chance (seed {}): {}.", report.seed, counts.join(", ")));
    }
    lines.join("\n")
}

pub(super) fn notes(report: &Report) -> String {
    let lines: Vec<String> = report.notes.iter().map(|note| format!("- {}", one_line(note))).collect();
    section("Worth knowing", lines.join("\n"))
}

fn campaigns(report: &Report, colour: bool) -> String {
    let mut table = Table::new()
        .text(["CAMPAIGN"])
        .numbers(["RUNS", "ENDED", "ENROLLED", "SENT", "DONE", "EXITED", "ACTIVE"])
        .text(["FINISHES"]);
    for campaign in &report.campaigns {
        let figures = &campaign.figures;
        let exited = figures.exited.values().sum();
        let counts = [
            campaign.runs,
            campaign.finished_runs,
            figures.enrolled,
            figures.sent,
            figures.completed,
            exited,
            figures.active,
        ];
        let mut cells = vec![Cell::from(shorten(&campaign.name, NAME))];
        cells.extend(counts.map(whole).map(Cell::count));
        cells.push(Cell::maybe(campaign.finished_at.map(|at| at.date_naive().to_string())));
        table.row(cells);
    }
    if report.campaigns.is_empty() { String::new() } else { table.render(colour) }
}

/// Renders the first `rows` as a table, and the number of rows left out.
fn most<T>(rows: &[T], mut table: Table, row: impl Fn(&T) -> Vec<Cell>, colour: bool) -> String {
    for one in rows.iter().take(ROWS) {
        table.row(row(one));
    }
    let more = rows.len().saturating_sub(ROWS);
    let shown = table.render(colour);
    if more == 0 {
        shown
    } else {
        format!("{shown}\n… and {} more; -o json shows all", thousands(whole(more as u64)))
    }
}

fn runs(report: &Report, colour: bool) -> String {
    if report.runs.is_empty() {
        return String::new();
    }
    let mut runs: Vec<&Run> = report.runs.iter().collect();
    // Runs that send come first. Among them, unfinished runs precede finished ones. The most active people, then the
    // latest finish, come first.
    runs.sort_by_key(|run| (run.sent == 0, run.finished_at.is_some(), Reverse((run.active, run.finished_at))));
    let table = Table::new()
        .text(["CAMPAIGN", "ACCOUNT", "PHASE"])
        .numbers(["SENT", "ACTIVE"])
        .text(["LAST MESSAGE", "FINISHES"]);
    let row = |run: &&Run| {
        let mut cells = vec![Cell::from(shorten(&run.campaign, NAME)), Cell::from(shorten(&run.account, NAME))];
        cells.push(phase(run.phase));
        cells.extend([run.sent, run.active].map(whole).map(Cell::count));
        cells.push(Cell::maybe(run.last_sent_on.map(|day| day.to_string())));
        cells.push(Cell::maybe(run.finished_at.map(|at| at.date_naive().to_string())));
        cells
    };
    section("Runs that take longest", most(&runs, table, row, colour))
}

fn accounts(report: &Report, colour: bool) -> String {
    let mut accounts: Vec<&Account> = report.accounts.iter().filter(|account| account.sent > 0).collect();
    if accounts.is_empty() {
        return String::new();
    }
    accounts.sort_by_key(|account| {
        Reverse((account.days_at_cap, account.busiest.map_or(0, |busiest| busiest.messages), account.sent))
    });
    let table =
        Table::new().text(["ACCOUNT", "NAME"]).numbers(["SENT", "DAYS", "A DAY", "CAP", "AT THE CAP", "BUSIEST"]);
    let row = |account: &&Account| {
        let at_cap = match account.cap {
            Some(_) => format!("{:.0} %", account.share_at_cap * 100.0),
            None => "-".to_owned(),
        };
        let tone = if account.days_at_cap > 0 { Tone::Waiting } else { Tone::Faint };
        vec![
            Cell::from(shorten(&account.id, NAME)),
            Cell::from(shorten(&account.name, NAME)),
            Cell::count(whole(account.sent)),
            Cell::count(whole(account.sending_days)),
            Cell::from(format!("{:.1}", account.average)),
            Cell::maybe(account.cap.map(|cap| thousands(cap.into()))),
            Cell::new(at_cap, tone),
            Cell::maybe(account.busiest.map(|busiest| thousands(whole(busiest.messages)))),
        ]
    };
    section("Accounts nearest to their daily cap", most(&accounts, table, row, colour))
}

fn unreached(report: &Report, colour: bool) -> String {
    if report.unreached.is_empty() {
        return String::new();
    }
    let mut table = Table::new().numbers(["PEOPLE"]).text(["WHO"]);
    for reason in &report.unreached {
        table.row([Cell::count(whole(reason.people)), Cell::from(reason.meaning)]);
    }
    let title = format!("Never written to: {} people, because they", thousands(whole(report.totals.unreached)));
    section(&title, table.render(colour))
}

fn conflicts(report: &Report, colour: bool) -> String {
    let mut parts = Vec::new();
    if !report.conflicts.pairs.is_empty() {
        let mut table = Table::new().numbers(["PEOPLE", "MESSAGES PUT OFF"]).text(["CAMPAIGN", "CAMPAIGN"]);
        for pair in &report.conflicts.pairs {
            let [one, other] = &pair.campaigns;
            let counts = [pair.people, pair.put_off].map(|n| Cell::count(whole(n)));
            table.row(counts.into_iter().chain([Cell::from(&**one), Cell::from(&**other)]));
        }
        parts.push(section("In two campaigns at the same time, written to once a day", table.render(colour)));
    }
    if !report.conflicts.shared_caps.is_empty() {
        let table = Table::new().numbers(["DAYS"]).text(["ACCOUNT", "CAMPAIGNS"]);
        let row = |shared: &crate::time_machine::report::SharedCap| {
            vec![
                Cell::count(whole(shared.days)),
                Cell::from(shorten(&shared.account, NAME)),
                Cell::from(shared.campaigns.join(", ")),
            ]
        };
        let title = "Days at the account's cap with people of several campaigns waiting";
        parts.push(section(title, most(&report.conflicts.shared_caps, table, row, colour)));
    }
    parts.join("\n\n")
}
