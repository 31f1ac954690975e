//! The progress of a simulation, on terminals.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::cli::table::thousands;
use crate::time_machine::{Progress, Settings};

/// A bar that fills day by day.
#[derive(Debug)]
pub(super) struct Bar(ProgressBar);

/// Makes a bar for one simulation.
pub(super) fn one(days: u32) -> Bar {
    Bar(styled(ProgressBar::new(days.into()), "{bar:40} day {pos} of {len}  {msg}  {elapsed}"))
}

/// Makes a bar for each of two concurrent simulations.
pub(super) fn two(days: u32, names: [&str; 2]) -> [Bar; 2] {
    let all = MultiProgress::new();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    names.map(|name| {
        let bar = all.add(ProgressBar::new(days.into())).with_prefix(format!("{name:width$}"));
        Bar(styled(bar, "{prefix} {bar:32} day {pos} of {len}  {msg}"))
    })
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    bar.set_style(ProgressStyle::with_template(template).expect("a template that parses"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

impl Bar {
    pub(super) fn show(&self, settings: &Settings, progress: Progress) {
        let days = (progress.now - settings.from).num_days();
        self.0.set_position(days.unsigned_abs());
        let messages = i64::try_from(progress.messages).unwrap_or(i64::MAX);
        self.0.set_message(format!("{} messages", thousands(messages)));
    }

    pub(super) fn end(&self) {
        self.0.finish_and_clear();
    }
}
