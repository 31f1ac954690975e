//! Messages per day as bars: stacked by campaign, or two simulations beside each other.

use serde::Serialize;

use super::colour::colour;
use super::scale::{Label, days_a_bar, every, float, index, place, short, thousands, ticks};
use crate::core::domain::NaiveDate;
use crate::time_machine::compare::Side;
use crate::time_machine::report::{Day, Report};

const WIDTH: f64 = 920.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 28.0;
/// The gap between two bars, as a share of the width of one slot.
const GAP: f64 = 0.18;

#[derive(Debug, Serialize)]
pub(super) struct Plot {
    width: String,
    height: String,
    left: String,
    /// The y coordinate of the baseline.
    ground: String,
    title: String,
    description: String,
    legend: Vec<Entry>,
    ticks: Vec<Label>,
    labels: Vec<Label>,
    bars: Vec<Bar>,
    /// The same figures as text, for readers who cannot see the bars.
    table: Table,
}

#[derive(Debug, Serialize)]
struct Entry {
    colour: usize,
    name: String,
    total: String,
}

#[derive(Debug, Serialize)]
struct Bar {
    x: String,
    y: String,
    width: String,
    height: String,
    colour: usize,
    title: String,
}

#[derive(Debug, Serialize)]
struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// A named series of counts by day.
struct Series {
    name: String,
    colour: usize,
    counts: Vec<u64>,
}

/// Returns a plot with one bar a day, stacked by campaign.
pub(super) fn stacked(report: &Report, names: &[String]) -> Plot {
    let series = names.iter().map(|name| Series {
        name: name.clone(),
        colour: colour(name, names),
        counts: report.days.iter().map(|day| day.campaigns.get(name).copied().unwrap_or_default()).collect(),
    });
    plot(&report.days, series.collect(), true)
}

/// Returns a plot with two bars a day, one per simulation.
pub(super) fn beside(before: &Side, after: &Side) -> Plot {
    let series = |colour, side: &Side| Series {
        name: side.name.clone(),
        colour,
        counts: side.report.days.iter().map(|day| day.sent).collect(),
    };
    plot(&after.report.days, vec![series(1, before), series(0, after)], false)
}

fn plot(days: &[Day], series: Vec<Series>, stack: bool) -> Plot {
    let step = days_a_bar(days.len());
    let dates: Vec<NaiveDate> = days.chunks(step).map(|days| days[0].date).collect();
    let series: Vec<Series> = series
        .into_iter()
        .map(|one| Series { counts: one.counts.chunks(step).map(|days| days.iter().sum()).collect(), ..one })
        .filter(|one| !stack || one.counts.iter().any(|n| *n > 0))
        .collect();
    let of_bar = |at: usize| series.iter().map(move |one| one.counts.get(at).copied().unwrap_or_default());
    let height = |at: usize| if stack { of_bar(at).sum::<u64>() } else { of_bar(at).max().unwrap_or_default() };
    let most = (0..dates.len()).map(height).max().unwrap_or_default();
    let ticks = ticks(most);
    let top = ticks.last().copied().unwrap_or(1);
    let scale = (HEIGHT - TOP - BOTTOM) / float(top);
    let room = (WIDTH - LEFT) / index(dates.len().max(1));
    let y = |n: u64| HEIGHT - BOTTOM - float(n) * scale;
    let what = if step == 1 { "day" } else { "week" };
    Plot {
        width: place(WIDTH),
        height: place(HEIGHT),
        left: place(LEFT),
        ground: place(HEIGHT - BOTTOM),
        title: format!("Messages per {what}"),
        description: describe(&dates, &(0..dates.len()).map(height).collect::<Vec<_>>(), what),
        legend: series
            .iter()
            .map(|one| Entry { colour: one.colour, name: one.name.clone(), total: thousands(one.counts.iter().sum()) })
            .collect(),
        ticks: ticks.iter().map(|n| Label { at: place(y(*n)), text: thousands(*n) }).collect(),
        labels: (0..dates.len())
            .step_by(every(dates.len()))
            .map(|at| Label { at: place(LEFT + (index(at) + 0.5) * room), text: short(dates[at]) })
            .collect(),
        bars: bars(&dates, &series, stack, room, y),
        table: table(&dates, &series, stack),
    }
}

fn bars(dates: &[NaiveDate], series: &[Series], stack: bool, room: f64, y: impl Fn(u64) -> f64) -> Vec<Bar> {
    let beside = if stack { 1.0 } else { index(series.len().max(1)) };
    let width = room * (1.0 - GAP) / beside;
    let mut bars = Vec::new();
    for (at, date) in dates.iter().enumerate() {
        let left = LEFT + (index(at) + GAP / 2.0) * room;
        let mut below = 0;
        for (place_of, one) in series.iter().enumerate() {
            let n = one.counts.get(at).copied().unwrap_or_default();
            if n == 0 {
                continue;
            }
            let x = if stack { left } else { left + index(place_of) * width };
            bars.push(Bar {
                x: place(x),
                y: place(y(below + n)),
                width: place(width),
                height: place(y(below) - y(below + n)),
                colour: one.colour,
                title: format!("{date}, {}: {}", one.name, thousands(n)),
            });
            if stack {
                below += n;
            }
        }
    }
    bars
}

fn describe(dates: &[NaiveDate], counts: &[u64], what: &str) -> String {
    let total: u64 = counts.iter().sum();
    let busiest = dates.iter().zip(counts).max_by_key(|(date, n)| (**n, std::cmp::Reverse(**date)));
    match busiest.filter(|(_, n)| **n > 0) {
        Some((date, n)) => {
            format!("{} bars; the highest, {} messages, is the {what} of {date}.", dates.len(), thousands(*n))
        }
        None => format!("{} bars, {total} messages.", dates.len()),
    }
}

fn table(dates: &[NaiveDate], series: &[Series], stack: bool) -> Table {
    let names = series.iter().map(|one| one.name.clone());
    let all = stack.then(|| "all".to_owned());
    let head = std::iter::once("from".to_owned()).chain(all).chain(names).collect();
    let rows = dates.iter().enumerate().map(|(at, date)| {
        let counts: Vec<u64> = series.iter().map(|one| one.counts.get(at).copied().unwrap_or_default()).collect();
        let all = stack.then(|| thousands(counts.iter().sum()));
        std::iter::once(date.to_string()).chain(all).chain(counts.iter().map(|n| thousands(*n))).collect()
    });
    Table { head, rows: rows.collect() }
}
