//! A plot of the accounts' use of their daily quota: one row per account, one square per day.

use serde::Serialize;

use super::scale::{Label, days_a_bar, every, index, place, short, thousands};
use crate::core::domain::NaiveDate;
use crate::time_machine::report::{Account, Report};

const WIDTH: f64 = 920.0;
const LEFT: f64 = 120.0;
const TOP: f64 = 20.0;
/// The height of a row in plots with few and with many rows.
const ROWS: [f64; 2] = [16.0, 11.0];
const FEW: usize = 40;
/// The maximum number of drawn accounts; accounts that use their quota most come first.
const MOST: usize = 120;
/// The maximum number of characters of a row's label.
const NAME: usize = 17;

#[derive(Debug, Serialize)]
pub(super) struct Plot {
    width: String,
    height: String,
    cell_width: String,
    cell_height: String,
    left: String,
    full_width: String,
    title: String,
    description: String,
    /// The CSS class of labels in low rows.
    small: &'static str,
    /// The meaning of the darkest colour.
    full: String,
    labels: Vec<Label>,
    rows: Vec<Row>,
    /// The number of accounts that send but are not drawn.
    more: String,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    full_name: String,
    y: String,
    base: String,
    cells: Vec<Cell>,
}

#[derive(Debug, Serialize)]
struct Cell {
    x: String,
    /// The quota use in quarters, from 1 to 5; 5 is the whole quota.
    level: u64,
    title: String,
}

pub(super) fn plot(report: &Report) -> Plot {
    let step = days_a_bar(report.days.len());
    let dates: Vec<NaiveDate> = report.days.chunks(step).map(|days| days[0].date).collect();
    let mut accounts: Vec<&Account> = report.accounts.iter().filter(|account| account.sent > 0).collect();
    accounts.sort_by(|a, b| (b.days_at_cap, b.sent, &a.id).cmp(&(a.days_at_cap, a.sent, &b.id)));
    let more = accounts.len().saturating_sub(MOST);
    accounts.truncate(MOST);
    accounts.sort_by(|a, b| a.id.cmp(&b.id));
    let row = if accounts.len() <= FEW { ROWS[0] } else { ROWS[1] };
    let room = (WIDTH - LEFT) / index(dates.len().max(1));
    let busiest = accounts.iter().filter_map(|account| account.busiest).map(|busiest| busiest.messages).max();
    let cap = accounts.iter().find_map(|account| account.cap).map(u64::from);
    let whole = cap.or(busiest).unwrap_or(1) * step as u64;
    let squares = |account: &Account| cells(account, &dates, step, whole, room);
    Plot {
        width: place(WIDTH),
        height: place(TOP + index(accounts.len()) * row + 4.0),
        cell_width: place((room - 1.0).max(0.5)),
        cell_height: place(row - 1.0),
        left: place(LEFT),
        full_width: place(WIDTH - LEFT - 1.0),
        small: if row < ROWS[0] { " small" } else { "" },
        title: "Quota use per account and day".to_owned(),
        description: description(report),
        full: match cap {
            Some(cap) => format!("all of the daily cap of {}", thousands(cap)),
            None => format!("as many as on the busiest day, {}", thousands(busiest.unwrap_or_default())),
        },
        labels: (0..dates.len())
            .step_by(every(dates.len()))
            .map(|at| Label { at: place(LEFT + index(at) * room), text: short(dates[at]) })
            .collect(),
        rows: accounts
            .iter()
            .enumerate()
            .map(|(at, account)| {
                let y = TOP + index(at) * row;
                let name: String = account.id.chars().take(NAME).collect();
                let full_name = format!("{} {}", account.id, account.name);
                Row { name, full_name, y: place(y), base: place(y + row - 3.0), cells: squares(account) }
            })
            .collect(),
        more: if more == 0 { String::new() } else { thousands(more as u64) },
    }
}

fn cells(account: &Account, dates: &[NaiveDate], step: usize, whole: u64, room: f64) -> Vec<Cell> {
    let days = account.taken.chunks(step).map(|days| days.iter().sum::<u64>());
    let cell = |(at, (taken, date)): (usize, (u64, &NaiveDate))| Cell {
        x: place(LEFT + index(at) * room),
        level: (taken * 4 / whole.max(1)).min(4) + 1,
        title: format!("{date}: {} of {}", thousands(taken), thousands(whole)),
    };
    days.zip(dates).enumerate().filter(|(_, (taken, _))| *taken > 0).map(cell).collect()
}

fn description(report: &Report) -> String {
    let at_cap = report.accounts.iter().filter(|account| account.days_at_cap > 0).count();
    let silent = report.accounts.iter().filter(|account| account.sent == 0).count();
    format!("{at_cap} accounts reach their cap on some day; {silent} send nothing and are left out.")
}
