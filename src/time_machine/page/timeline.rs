//! A plot of the periods in which runs send and finish: one row per run, or per campaign if there are many runs.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Serialize;

use super::colour::colour;
use super::scale::{Label, every, float, index, place, short, thousands};
use crate::core::domain::{NaiveDate, Timestamp};
use crate::time_machine::report::{Campaign, Report, Run};

const WIDTH: f64 = 920.0;
const LEFT: f64 = 210.0;
const RIGHT: f64 = 16.0;
const ROW: f64 = 26.0;
const TOP: f64 = 6.0;
const BOTTOM: f64 = 26.0;
/// The number of runs above which rows are campaigns.
const MOST_RUNS: usize = 30;
/// The maximum number of characters of a row's label.
const NAME: usize = 30;

#[derive(Debug, Serialize)]
pub(super) struct Plot {
    width: String,
    height: String,
    left: String,
    right: String,
    ground: String,
    title: String,
    description: String,
    labels: Vec<Label>,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    full_name: String,
    y: String,
    /// The y coordinate of the label's baseline.
    base: String,
    colour: usize,
    /// The span from the first to the last message.
    band: Option<Band>,
    /// The days on which runs finish; larger marks stand for more runs.
    marks: Vec<Mark>,
}

#[derive(Debug, Serialize)]
struct Band {
    x: String,
    y: String,
    width: String,
    title: String,
}

#[derive(Debug, Serialize)]
struct Mark {
    x: String,
    radius: String,
    title: String,
}

/// The horizontal time axis.
struct Axis {
    from: Timestamp,
    until: Timestamp,
}

impl Axis {
    fn at(&self, instant: Timestamp) -> f64 {
        let minutes = |time: TimeDelta| float(time.num_minutes().max(0).unsigned_abs());
        let whole = minutes(self.until - self.from).max(1.0);
        LEFT + (WIDTH - LEFT - RIGHT) * (minutes(instant - self.from) / whole).min(1.0)
    }

    fn day(&self, date: NaiveDate) -> f64 {
        self.at(date.and_time(chrono::NaiveTime::MIN).and_utc())
    }
}

pub(super) fn plot(report: &Report, names: &[String]) -> Plot {
    let axis = Axis { from: report.from, until: report.until };
    let by_run = report.runs.len() <= MOST_RUNS;
    let mut rows: Vec<Row> = if by_run {
        report.runs.iter().map(|run| run_row(run, &axis, names)).collect()
    } else {
        report.campaigns.iter().map(|campaign| campaign_row(campaign, report, &axis, names)).collect()
    };
    for (at, row) in rows.iter_mut().enumerate() {
        let y = TOP + (index(at) + 0.5) * ROW;
        (row.y, row.base) = (place(y), place(y + 4.0));
        if let Some(band) = &mut row.band {
            band.y = place(y - 5.0);
        }
    }
    let ground = TOP + index(rows.len()) * ROW;
    let finished = report.runs.iter().filter(|run| run.finished_at.is_some()).count();
    Plot {
        width: place(WIDTH),
        height: place(ground + BOTTOM),
        left: place(LEFT),
        right: place(WIDTH - RIGHT),
        ground: place(ground),
        title: if by_run { "Runs from first message to finish" } else { "Campaigns from first message to finish" }
            .to_owned(),
        description: format!("{finished} of {} runs finish in these days.", report.runs.len()),
        labels: report
            .days
            .iter()
            .map(|day| day.date)
            .step_by(every(report.days.len()))
            // The first local day begins before the simulation does.
            .filter(|date| axis.day(*date) > LEFT)
            .map(|date| Label { at: place(axis.day(date)), text: short(date) })
            .collect(),
        rows,
    }
}

fn run_row(run: &Run, axis: &Axis, names: &[String]) -> Row {
    let mark = run.finished_at.map(|at| Mark {
        x: place(axis.at(at)),
        radius: "5".to_owned(),
        title: format!("{} on {}", run.phase, at.date_naive()),
    });
    let band = band(run.first_sent_on, run.last_sent_on, run.sent, axis);
    row(format!("{} · {}", run.campaign, run.account), colour(&run.campaign, names), band, mark.into_iter().collect())
}

fn campaign_row(campaign: &Campaign, report: &Report, axis: &Axis, names: &[String]) -> Row {
    let mut ends: BTreeMap<NaiveDate, u64> = BTreeMap::new();
    let runs = report.runs.iter().filter(|run| run.campaign == campaign.name);
    for at in runs.filter_map(|run| run.finished_at) {
        *ends.entry(at.date_naive()).or_default() += 1;
    }
    let most = ends.values().copied().max().unwrap_or(1);
    let marks = ends.into_iter().map(|(date, runs)| Mark {
        x: place(axis.day(date).max(LEFT)),
        radius: place(2.5 + 6.5 * (float(runs) / float(most)).sqrt()),
        title: format!(
            "{} finish on {date}",
            if runs == 1 { "1 run".to_owned() } else { format!("{} runs", thousands(runs)) }
        ),
    });
    let band = band(campaign.first_sent_on, campaign.last_sent_on, campaign.figures.sent, axis);
    row(campaign.name.clone(), colour(&campaign.name, names), band, marks.collect())
}

fn band(first: Option<NaiveDate>, last: Option<NaiveDate>, sent: u64, axis: &Axis) -> Option<Band> {
    let (first, last) = (first?, last?);
    let (start, end) = (axis.day(first), axis.day(last + TimeDelta::days(1)));
    let title = format!("{} messages from {first} to {last}", thousands(sent));
    Some(Band { x: place(start), y: String::new(), width: place((end - start).max(2.0)), title })
}

fn row(full_name: String, colour: usize, band: Option<Band>, marks: Vec<Mark>) -> Row {
    let name = if full_name.chars().count() > NAME {
        full_name.chars().take(NAME - 1).chain(['…']).collect()
    } else {
        full_name.clone()
    };
    Row { name, full_name, y: String::new(), base: String::new(), colour, band, marks }
}
