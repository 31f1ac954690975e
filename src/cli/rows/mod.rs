//! The tables of `get`, with the columns of each noun. All of them mask phones, and `table` shortens long texts; JSON
//! is complete.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

use super::table::{Cell, Table, Tone, counted, relative, shorten, thousands, time};
use crate::core::domain::{Phone, Timestamp};
use crate::core::lifecycle::message::State;
use crate::core::lifecycle::run::Phase;
use crate::core::lifecycle::target::Exit;
use crate::core::plan::stored as done;
use crate::store::query::{Account, Campaign, Counts, Message, Revision, Run, Standing, Target};

/// Maximum characters of a text or an error in a table that is not wide.
const SHORT: usize = 48;

/// The rows that a `get` found: an array in JSON.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Rows {
    Campaigns(Vec<Campaign>),
    Runs(Vec<Run>),
    Targets(Vec<Target>),
    Messages(Vec<Message>),
    Accounts(Vec<Account>),
    Revisions(Vec<Revision>),
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Campaigns(rows) => rows.len(),
            Self::Runs(rows) => rows.len(),
            Self::Targets(rows) => rows.len(),
            Self::Messages(rows) => rows.len(),
            Self::Accounts(rows) => rows.len(),
            Self::Revisions(rows) => rows.len(),
        }
    }

    /// Returns the campaigns among the rows that cannot run, each with the reason.
    pub(super) fn frozen(&self) -> BTreeMap<&str, &str> {
        match self {
            Self::Campaigns(rows) => rows.iter().filter_map(|row| Some((&*row.name, row.frozen.as_deref()?))).collect(),
            Self::Runs(rows) => rows.iter().filter_map(|row| Some((&*row.campaign, row.frozen.as_deref()?))).collect(),
            Self::Targets(_) | Self::Messages(_) | Self::Accounts(_) | Self::Revisions(_) => BTreeMap::new(),
        }
    }

    /// Returns the name of one row.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Self::Campaigns(_) => "campaign",
            Self::Runs(_) => "run",
            Self::Targets(_) => "target",
            Self::Messages(_) => "message",
            Self::Accounts(_) => "account",
            Self::Revisions(_) => "revision",
        }
    }

    /// Explains why there may be no rows, and the command that helps.
    pub(super) fn none_yet(&self) -> &'static str {
        match self {
            Self::Campaigns(_) => "No campaigns yet: `relancectl apply` makes them from your manifests.",
            Self::Runs(_) => {
                "No runs yet: an applied campaign makes one for every account it selects; `relancectl import` reads \
                 accounts, `relancectl apply` applies campaigns."
            }
            Self::Targets(_) => "No targets yet: people are enrolled by `relancectl run` once a run is active.",
            Self::Messages(_) => {
                "No messages yet: `relancectl run` sends them when somebody is due; see `get targets`."
            }
            Self::Accounts(_) => "No accounts yet: `relancectl import` reads them from an export.",
            Self::Revisions(_) => "No revisions yet: `relancectl apply` accepts the first one.",
        }
    }

    pub(super) fn table(&self, wide: bool, now: Timestamp) -> Table {
        match self {
            Self::Campaigns(rows) => campaigns(rows, wide, now),
            Self::Runs(rows) => runs(rows, wide, now),
            Self::Targets(rows) => targets(rows, wide, now),
            Self::Messages(rows) => messages(rows, wide),
            Self::Accounts(rows) => accounts(rows, wide, now),
            Self::Revisions(rows) => revisions(rows, wide),
        }
    }
}

pub(super) fn phase(phase: Phase) -> Cell {
    let tone = match phase {
        Phase::Active => Tone::Good,
        Phase::Scheduled | Phase::Paused => Tone::Waiting,
        Phase::Draft | Phase::Completed | Phase::Cancelled => Tone::Faint,
    };
    Cell::new(phase.as_str(), tone)
}

pub(super) fn standing(standing: Standing) -> Cell {
    let tone = match standing {
        Standing::Active => Tone::Good,
        Standing::Completed | Standing::Exited => Tone::Faint,
    };
    Cell::new(standing.as_str(), tone)
}

pub(super) fn message_state(state: State) -> Cell {
    let tone = match state {
        State::Queued | State::Sending => Tone::Waiting,
        State::Sent | State::Delivered | State::Read => Tone::Good,
        State::Failed | State::Uncertain => Tone::Bad,
    };
    Cell::new(state.as_str(), tone)
}

/// Renders a future instant: the distance, or the instant itself in wide tables.
fn due(at: Option<Timestamp>, wide: bool, now: Timestamp) -> Cell {
    Cell::maybe(at.map(|at| if wide { time(at) } else { relative(at, now) }))
}

fn times<const N: usize>(times: [Option<Timestamp>; N]) -> [Cell; N] {
    times.map(|at| Cell::maybe(at.map(time)))
}

fn people(counts: &Counts) -> [Cell; 4] {
    [counts.enrolled, counts.active, counts.completed, counts.exited].map(Cell::count)
}

fn mail(counts: &Counts, wide: bool) -> Vec<Cell> {
    let Counts { sent, delivered, read, failed, uncertain, .. } = *counts;
    let left = if wide { vec![sent, delivered, read] } else { vec![sent] };
    left.into_iter().map(Cell::count).chain([failed, uncertain].map(Cell::faults)).collect()
}

/// Adds the columns of [`people`] and [`mail`].
fn counters(table: Table, wide: bool) -> Table {
    let table = table.numbers(["ENROLLED", "ACTIVE", "COMPLETED", "EXITED", "SENT"]);
    let table = if wide { table.numbers(["DELIVERED", "READ"]) } else { table };
    table.numbers(["FAILED", "UNCERTAIN"])
}

fn campaigns(rows: &[Campaign], wide: bool, now: Timestamp) -> Table {
    let table = counters(Table::new().text(["NAME", "TYPE", "STATE", "RUNS"]), wide).text(["NEXT DUE"]);
    let mut table =
        if wide { table.text(["SEQUENCE"]).numbers(["PRIORITY", "REVISION"]).text(["REMOVED"]) } else { table };
    for row in rows {
        let state = match (&row.state, row.removed_at) {
            (_, Some(_)) => Cell::new("removed", Tone::Faint),
            (state, None) => Cell::maybe(state.as_deref()),
        };
        let (total, active) = (row.runs.total(), row.runs.active);
        let live = format!("{} of {} active", thousands(active), thousands(total));
        let mut cells = vec![Cell::from(&*row.name), Cell::maybe(row.kind.as_deref()), state];
        cells.push(Cell::new(live, if active > 0 { Tone::Good } else { Tone::Plain }));
        cells.extend(people(&row.counts));
        cells.extend(mail(&row.counts, wide));
        cells.push(due(row.next_due_at, wide, now));
        if wide {
            cells.push(Cell::maybe(row.sequence.as_deref()));
            cells.push(Cell::maybe(row.priority.map(|n| n.to_string())));
            cells.push(Cell::maybe(row.revision.map(|n| n.to_string())));
            cells.extend(times([row.removed_at]));
        }
        table.row(cells);
    }
    table
}

fn runs(rows: &[Run], wide: bool, now: Timestamp) -> Table {
    let table = counters(Table::new().text(["CAMPAIGN", "ACCOUNT", "PHASE", "REASON"]), wide).text(["NEXT DUE"]);
    let mut table = if wide {
        table.text(["TYPE"]).numbers(["PRIORITY", "REVISION"]).text(["STARTED", "FINISHED", "MESSAGE"])
    } else {
        table
    };
    for row in rows {
        let mut cells = vec![Cell::from(&*row.campaign), Cell::from(&*row.account), phase(row.phase)];
        cells.push(Cell::from(&*row.reason));
        cells.extend(people(&row.counts));
        cells.extend(mail(&row.counts, wide));
        cells.push(due(row.next_due_at, wide, now));
        if wide {
            cells.push(Cell::maybe(row.kind.as_deref()));
            cells.push(Cell::maybe(row.priority.map(|n| n.to_string())));
            cells.push(Cell::from(row.revision.to_string()));
            cells.extend(times([row.started_at, row.finished_at]));
            cells.push(Cell::from(row.detail.to_string()));
        }
        table.row(cells);
    }
    table
}

fn targets(rows: &[Target], wide: bool, now: Timestamp) -> Table {
    let table = Table::new().text(["ID"]).numbers(["DAY"]).text(["STATE", "EXIT", "NEXT DUE", "HELD BY", "UNTIL"]);
    let mut table = if wide { table.text(["NAME", "PHONE"]) } else { table };
    for row in rows {
        let mut cells = vec![Cell::from(&*row.id), Cell::from(row.day.to_string()), standing(row.state)];
        cells.push(Cell::maybe(row.exit_reason.map(Exit::as_str)));
        cells.push(due(row.next_due_at, wide, now));
        cells.push(row.hold.map_or_else(|| Cell::maybe(None::<&str>), |h| Cell::new(h.reason.as_str(), Tone::Waiting)));
        cells.push(due(row.hold.and_then(|hold| hold.until), wide, now));
        if wide {
            cells.push(Cell::from(&*row.name));
            cells.push(Cell::from(Phone::trusted(row.phone.clone()).masked()));
        }
        table.row(cells);
    }
    table
}

fn messages(rows: &[Message], wide: bool) -> Table {
    let table = Table::new().text(["QUEUED", "ID", "STATE", "PHONE", "LANG"]);
    let table = if wide {
        table.numbers(["ATTEMPTS"]).text(["SENT", "DELIVERED", "READ", "PROVIDER ID", "ERROR", "TEXT"])
    } else {
        table.text(["TEXT OR ERROR"])
    };
    rows.iter().fold(table, |mut table, row| {
        let mut cells = vec![Cell::from(time(row.queued_at)), Cell::from(&*row.id), message_state(row.state)];
        cells.push(Cell::from(Phone::trusted(row.phone.clone()).masked()));
        cells.push(Cell::from(&*row.language));
        if wide {
            cells.push(Cell::from(row.attempts.to_string()));
            cells.extend(times([row.sent_at, row.delivered_at, row.read_at]));
            cells.extend([row.provider_id.as_deref(), row.error.as_deref(), Some(&*row.content())].map(Cell::maybe));
        } else {
            let text = row.error.clone().unwrap_or_else(|| row.content());
            cells.push(Cell::new(shorten(&text, SHORT), if row.error.is_some() { Tone::Bad } else { Tone::Plain }));
        }
        table.row(cells);
        table
    })
}

fn accounts(rows: &[Account], wide: bool, now: Timestamp) -> Table {
    let table = Table::new().text(["ID", "NAME", "WHATSAPP", "SUBSCRIPTION ENDS"]);
    let table = table.numbers(["REFERRALS", "UNPAID", "RUNS", "TARGETS", "SENT TODAY"]).text(["TIMEZONE"]);
    let mut table = if wide { table.text(["NEXT SLOT", "PLAN", "PHONE", "LANG", "COUNTRY"]) } else { table };
    for row in rows {
        let whatsapp = match row.whatsapp_status.as_deref() {
            Some("connected") => Cell::new("connected", Tone::Good),
            Some(other) => Cell::new(other, Tone::Bad),
            None => Cell::maybe(None::<&str>),
        };
        let over = row.subscription_ends_at.is_some_and(|end| end <= now);
        let ends = row.subscription_ends_at.map(time);
        let ends = ends.map_or_else(
            || Cell::maybe(None::<&str>),
            |ends| Cell::new(ends, if over { Tone::Bad } else { Tone::Plain }),
        );
        let name = if wide { row.name.clone() } else { shorten(&row.name, SHORT / 2) };
        let mut cells = vec![Cell::from(&*row.id), Cell::from(name), whatsapp, ends];
        cells.extend([row.referrals, row.unpaid, row.active_runs, row.active_targets].map(Cell::count));
        let quota = quota(row.sent_today, row.messages_per_day);
        cells.push(if row.sending.is_on() {
            Cell::from(quota)
        } else {
            Cell::new(format!("{quota}, off"), Tone::Waiting)
        });
        cells.push(Cell::from(&*row.timezone));
        if wide {
            cells.extend(times([row.next_slot_at]));
            cells.push(Cell::maybe(row.subscription_plan.as_deref()));
            cells.push(Cell::maybe(row.phone.clone().map(|phone| Phone::trusted(phone).masked())));
            cells.extend([row.language.as_deref(), row.country.as_deref()].map(Cell::maybe));
        }
        table.row(cells);
    }
    table
}

/// Renders `12 of 50`, or `12` without a cap.
pub(super) fn quota(taken: u32, cap: Option<u32>) -> String {
    let taken = thousands(taken.into());
    cap.map_or_else(|| taken.clone(), |cap| format!("{taken} of {}", thousands(cap.into())))
}

fn revisions(rows: &[Revision], wide: bool) -> Table {
    let table =
        Table::new().numbers(["ID"]).text(["ACCEPTED", "COMMIT", "AUTHOR", "APPLIED BY", "APPROVED BY", "CHANGES"]);
    let mut table = if wide { table.text(["PLAN", "SOURCE", "DIGEST"]) } else { table };
    for row in rows {
        let commit = row.commit.as_deref().map(|commit| if wide { commit } else { commit.get(..10).unwrap_or(commit) });
        let mut cells = vec![Cell::from(row.id.to_string()), Cell::from(time(row.accepted_at))];
        cells.extend([commit, row.author.as_deref(), row.applied_by.as_deref()].map(Cell::maybe));
        cells.push(Cell::maybe(row.approved_by.as_deref()));
        cells.push(Cell::from(if wide { changes(row) } else { done::summary(&row.changes).to_string() }));
        if wide {
            cells.push(Cell::maybe(row.plan_digest.as_deref()));
            cells.push(Cell::maybe(row.source_shown()));
            cells.push(Cell::from(&*row.digest));
        }
        table.row(cells);
    }
    table
}

/// Summarizes a revision in one line: `create Campaign welcome, update Sequence week`.
pub(super) fn changes(revision: &Revision) -> String {
    let list = revision.changes.as_array().map(Vec::as_slice).unwrap_or_default();
    let part =
        |change: &serde_json::Value, key: &str| change.get(key).and_then(|v| v.as_str()).unwrap_or("?").to_owned();
    match list {
        [] => "none".to_owned(),
        [_, _, _, _, ..] => counted(i64::try_from(list.len()).unwrap_or(i64::MAX), "change"),
        few => {
            let one = |change| ["action", "kind", "name"].map(|key| part(change, key)).join(" ");
            few.iter().map(one).collect::<Vec<_>>().join(", ")
        }
    }
}
