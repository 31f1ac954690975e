//! The texts and tables of the pages.

use serde::Serialize;

use super::scale::{float, place, thousands};
use crate::core::domain::{NaiveDate, Timestamp};
use crate::time_machine::compare::{CampaignSide, Comparison, RunSide};
use crate::time_machine::report::{Account, Campaign, Report, Run};

/// The maximum number of rows in tables that may be long.
const MOST_ROWS: usize = 500;
/// The placeholder for an absent value.
const NONE: &str = "–";

/// A report without its plots.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    heading: String,
    subtitle: String,
    cards: Vec<Card>,
    notes: Vec<Vec<Part>>,
    unreached: Vec<Bar>,
    unreached_people: String,
    campaigns: Table,
    runs: Table,
    accounts: Table,
    pairs: Table,
    shared_caps: Table,
}

/// A comparison without its plots.
#[derive(Debug, Serialize)]
pub(super) struct Changes {
    heading: String,
    subtitle: String,
    cards: Vec<Card>,
    notes: Vec<Vec<Part>>,
    names: [String; 2],
    same: bool,
    first_day: Option<String>,
    totals: Table,
    campaigns: Table,
    runs: Table,
    differing_days: Table,
}

/// A part of a sentence; text between backticks is code.
#[derive(Debug, Serialize)]
struct Part {
    code: bool,
    text: String,
}

fn parts(notes: &[String]) -> Vec<Vec<Part>> {
    let part = |(at, text): (usize, &str)| Part { code: at % 2 == 1, text: text.to_owned() };
    notes.iter().map(|note| note.split('`').enumerate().map(part).collect()).collect()
}

#[derive(Debug, Serialize)]
struct Card {
    value: String,
    label: String,
}

#[derive(Debug, Serialize)]
struct Bar {
    people: String,
    text: String,
    /// The width as a percentage of the longest bar.
    percent: String,
}

/// A table whose first `texts` columns are text and whose other columns are numbers or dates.
#[derive(Debug, Default, Serialize)]
struct Table {
    head: Vec<&'static str>,
    texts: usize,
    rows: Vec<Vec<String>>,
    /// The number of omitted rows.
    more: Option<String>,
}

impl Table {
    fn new<T>(head: &[&'static str], texts: usize, rows: &[T], row: impl Fn(&T) -> Vec<String>) -> Self {
        let more = rows.len().saturating_sub(MOST_ROWS);
        Self {
            head: head.to_vec(),
            texts,
            rows: rows.iter().take(MOST_ROWS).map(row).collect(),
            more: (more > 0).then(|| thousands(more as u64)),
        }
    }
}

impl Figures {
    pub(super) fn of(report: &Report) -> Self {
        let most = report.unreached.iter().map(|reason| reason.people).max().unwrap_or(1).max(1);
        let bars = report.unreached.iter().map(|reason| Bar {
            people: thousands(reason.people),
            text: reason.meaning.to_owned(),
            percent: place(float(reason.people) / float(most) * 100.0),
        });
        let conflicts = &report.conflicts;
        Self {
            heading: format!("Simulation of {}", span(report)),
            subtitle: subtitle(report),
            cards: cards(report),
            notes: parts(&report.notes),
            unreached: bars.collect(),
            unreached_people: thousands(report.totals.unreached),
            campaigns: campaigns(report),
            runs: runs(report),
            accounts: accounts(report),
            pairs: Table::new(&["campaign", "campaign", "people", "messages put off"], 2, &conflicts.pairs, |pair| {
                let [one, other] = pair.campaigns.clone();
                vec![one, other, thousands(pair.people), thousands(pair.put_off)]
            }),
            shared_caps: Table::new(&["account", "campaigns", "days"], 2, &conflicts.shared_caps, |shared| {
                vec![shared.account.clone(), shared.campaigns.join(", "), thousands(shared.days)]
            }),
        }
    }
}

fn span(report: &Report) -> String {
    let days = (report.until - report.from).num_days();
    format!("{days} day{} from {}", if days == 1 { "" } else { "s" }, report.from.format("%-d %B %Y, %H:%M UTC"))
}

fn subtitle(report: &Report) -> String {
    let rates = &report.rates;
    let chance =
        [(rates.failure, "of the hand-overs fail"), (rates.paid, "pay after a message"), (rates.stop, "answer STOP")];
    let chances: Vec<String> = chance
        .iter()
        .filter(|(share, _)| *share > 0.0)
        .map(|(share, what)| format!("{} % {what}", (share * 10_000.0).round() / 100.0))
        .collect();
    let chance =
        if chances.is_empty() { "nobody pays, stops or is out of reach".to_owned() } else { chances.join(", ") };
    format!(
        "{} people of {} accounts; by chance, {chance} (seed {}). Days are local days of the accounts.",
        thousands(report.totals.people),
        thousands(report.totals.accounts),
        report.seed
    )
}

fn cards(report: &Report) -> Vec<Card> {
    let totals = &report.totals;
    let figures = &totals.figures;
    let card = |n: u64, label: &str| Card { value: thousands(n), label: label.to_owned() };
    let mut cards = vec![
        card(figures.sent, "messages"),
        card(totals.reached, "people written to"),
        card(totals.unreached, "people never written to"),
        card(figures.completed, "got every day"),
        card(figures.active, "on their way at the end"),
    ];
    let rare = [
        (totals.paid, "paid"),
        (totals.stopped, "answered STOP"),
        (figures.failed, "messages failed"),
        (figures.uncertain, "messages uncertain"),
    ];
    cards.extend(rare.into_iter().filter(|(n, _)| *n > 0).map(|(n, label)| card(n, label)));
    cards
}

fn date(day: Option<NaiveDate>) -> String {
    day.map_or_else(|| NONE.to_owned(), |day| day.to_string())
}

fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| NONE.to_owned(), |at| at.format("%Y-%m-%d %H:%M").to_string())
}

fn campaigns(report: &Report) -> Table {
    let head = [
        "campaign",
        "priority",
        "runs",
        "runs finished",
        "enrolled",
        "sent",
        "failed",
        "got every day",
        "left early",
        "active",
        "last message",
        "finishes",
    ];
    Table::new(&head, 1, &report.campaigns, |campaign: &Campaign| {
        let figures = &campaign.figures;
        let exited = figures.exited.values().sum();
        let mut row = vec![campaign.name.clone()];
        row.push(campaign.priority.map_or_else(|| NONE.to_owned(), |priority| priority.to_string()));
        row.extend(
            [campaign.runs, campaign.finished_runs, figures.enrolled, figures.sent, figures.failed].map(thousands),
        );
        row.extend([figures.completed, exited, figures.active].map(thousands));
        row.push(date(campaign.last_sent_on));
        row.push(date(campaign.finished_at.map(|at| at.date_naive())));
        row
    })
}

fn runs(report: &Report) -> Table {
    let head = [
        "campaign",
        "account",
        "phase",
        "why",
        "enrolled",
        "sent",
        "active",
        "starts",
        "last message",
        "finishes",
        "next due",
    ];
    Table::new(&head, 4, &report.runs, |run: &Run| {
        let mut row = vec![run.campaign.clone(), run.account.clone(), run.phase.to_string(), run.message.clone()];
        row.extend([run.enrolled, run.sent, run.active].map(thousands));
        row.extend([time(run.started_at), date(run.last_sent_on), time(run.finished_at), time(run.next_due_at)]);
        row
    })
}

fn accounts(report: &Report) -> Table {
    let head = ["account", "name", "sent", "days", "a day", "cap", "days at the cap", "busiest", "on"];
    let sending: Vec<&Account> = report.accounts.iter().filter(|account| account.sent > 0).collect();
    Table::new(&head, 2, &sending, |account| {
        let busiest = account.busiest;
        vec![
            account.id.clone(),
            account.name.clone(),
            thousands(account.sent),
            thousands(account.sending_days),
            format!("{:.1}", account.average),
            account.cap.map_or_else(|| NONE.to_owned(), |cap| thousands(cap.into())),
            thousands(account.days_at_cap),
            busiest.map_or_else(|| NONE.to_owned(), |busiest| thousands(busiest.messages)),
            date(busiest.map(|busiest| busiest.date)),
        ]
    })
}

impl Changes {
    pub(super) fn of(comparison: &Comparison) -> Self {
        let (before, after) = (&comparison.before, &comparison.after);
        let difference = &comparison.difference;
        let cards = difference.totals.iter().take(5).map(|change| Card {
            value: signed(change.before, change.after),
            label: format!("{} ({} → {})", label(change.what), thousands(change.before), thousands(change.after)),
        });
        Self {
            heading: format!("Changes from {} to {}, in {}", before.name, after.name, span(&after.report)),
            subtitle: subtitle(&after.report),
            cards: cards.collect(),
            notes: parts(&after.report.notes),
            names: [before.name.clone(), after.name.clone()],
            same: difference.is_empty(),
            first_day: difference.first_day.map(|day| day.to_string()),
            totals: Table::new(&["", "before", "after", "change"], 1, &difference.totals, |change| {
                let (before, after) = (change.before, change.after);
                vec![label(change.what).to_owned(), thousands(before), thousands(after), signed(before, after)]
            }),
            campaigns: campaign_changes(comparison),
            runs: Table::new(
                &["campaign", "account", "before", "after", "finished before", "finishes now"],
                4,
                &difference.runs,
                |run| {
                    let phase =
                        |side: Option<RunSide>| side.map_or_else(|| NONE.to_owned(), |side| side.phase.to_string());
                    let ends = [run.before, run.after].map(|side| date(side.and_then(|side| side.finished_on)));
                    [run.campaign.clone(), run.account.clone(), phase(run.before), phase(run.after)]
                        .into_iter()
                        .chain(ends)
                        .collect()
                },
            ),
            differing_days: Table::new(&["day", "before", "after", "change"], 1, &difference.days, |day| {
                vec![day.date.to_string(), thousands(day.before), thousands(day.after), signed(day.before, day.after)]
            }),
        }
    }
}

fn campaign_changes(comparison: &Comparison) -> Table {
    let head = [
        "campaign",
        "",
        "enrolled",
        "sent",
        "got every day",
        "left early",
        "active",
        "first message",
        "last message",
        "finishes",
    ];
    let sides: Vec<(&str, &str, Option<&CampaignSide>)> = comparison
        .difference
        .campaigns
        .iter()
        .flat_map(|campaign| {
            [("before", &campaign.before), ("after", &campaign.after)]
                .map(|(side, figures)| (campaign.name.as_str(), side, figures.as_ref()))
        })
        .collect();
    Table::new(&head, 2, &sides, |(name, side, figures)| {
        let mut row = vec![(*name).to_owned(), (*side).to_owned()];
        match figures {
            Some(figures) => {
                row.extend(
                    [figures.enrolled, figures.sent, figures.completed, figures.exited, figures.active].map(thousands),
                );
                row.extend([figures.first_sent_on, figures.last_sent_on, figures.finished_on].map(date));
            }
            None => row.extend((0..8).map(|_| NONE.to_owned())),
        }
        row
    })
}

fn signed(before: u64, after: u64) -> String {
    let by = thousands(after.abs_diff(before));
    if after < before { format!("−{by}") } else { format!("+{by}") }
}

/// Returns the label of a count of `Difference::totals`.
fn label(what: &'static str) -> &'static str {
    match what {
        "sent" => "messages",
        "failed" => "messages failed",
        "uncertain" => "messages uncertain",
        "reached" => "people written to",
        "unreached" => "people never written to",
        "completed" => "got every day",
        "exited" => "left early",
        "active" => "on their way at the end",
        "stopped" => "answered STOP",
        other => other,
    }
}
