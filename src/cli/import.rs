//! `relancectl import`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};

use super::database::Database;
use super::{Exit, Global, print};
use crate::config::Config;
use crate::core::domain::{Heard, Rejection};
use crate::facts;
use crate::facts::import::Report;
use crate::facts::{Source, import};
use crate::store::Age;

/// Number of rejections that the summary shows for each column.
const EXAMPLES: usize = 3;
/// The number of columns whose rejections are shown.
const COLUMNS: usize = 50;

#[derive(Debug, clap::Args)]
pub struct Import {
    /// Content of the file
    what: What,
    /// CSV or NDJSON file; `-` reads standard input
    file: PathBuf,
    /// Time of the export: rows older than the known state change nothing [default: now]
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Write every rejected row to this file, as CSV
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, default_value = "text")]
    output: Output,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    Accounts,
    Referrals,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    Text,
    Json,
}

pub(super) async fn run(import: Import, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let source = if import.file == Path::new("-") {
        Source::stream("<stdin>", io::stdin())
    } else {
        Source::open(&import.file)?
    };
    let database = Database::open(global, config, 2).await?;
    database.refuse_demo().await?;
    let store = &database.store.acting(config.user.as_deref());
    let (now, _) = store.now().await?;
    let as_of = match &import.as_of {
        Some(text) => facts::instant(text).map_err(anyhow::Error::msg).with_context(|| format!("--as-of `{text}`"))?,
        None => now,
    };
    if as_of > now {
        bail!("--as-of `{as_of}` is in the future");
    }
    let bar = bar(source.size());
    let wrapped = bar.clone();
    let source = source.through(move |input| Box::new(wrapped.wrap_read(input)));
    let age = Age { as_of, now };
    let report = match import.what {
        What::Accounts => import::accounts(store, source, age).await,
        What::Referrals => import::referrals(store, source, age).await,
    };
    bar.finish_and_clear();
    let report = report?;
    if let Some(path) = &import.rejects {
        write_rejects(path, &report.rejected)?;
    }
    match import.output {
        Output::Json => print::line(&serde_json::to_string(&report)?),
        Output::Text => print::line(&text(&report)),
    }
    Ok(if report.rejected.is_empty() { Exit::Fine } else { Exit::Findings })
}

/// Makes a progress bar for the reading. After the last byte, the database still merges for a while.
fn bar(size: Option<u64>) -> ProgressBar {
    let (bar, template) = match size {
        Some(size) => (ProgressBar::new(size), "{bar:40} {percent:>3} %  {bytes}/{total_bytes}  {elapsed}"),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes}  {elapsed}"),
    };
    bar.set_style(ProgressStyle::with_template(template).expect("a template that parses"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Writes every rejected row to a file.
pub(super) fn write_rejects(path: &Path, rejected: &[Rejection]) -> anyhow::Result<()> {
    rejects(path, rejected).with_context(|| format!("cannot write `{}`", path.display()))
}

fn rejects(path: &Path, rejected: &[Rejection]) -> anyhow::Result<()> {
    let mut file = csv::Writer::from_path(path)?;
    file.write_record(["line", "column", "value", "reason"])?;
    for rejection in rejected {
        let line = rejection.line.to_string();
        file.write_record([&line, &rejection.column, &rejection.value, &rejection.reason])?;
    }
    file.flush()?;
    Ok(())
}

fn text(report: &Report) -> String {
    let Report { read, inserted, updated, unchanged, rejected, heard } = report;
    let refused = rejected.len();
    let mut summary =
        format!("{read} read: {inserted} inserted, {updated} updated, {unchanged} unchanged, {refused} rejected");
    if heard.is_any() {
        let Heard { opted_out, paid, held } = heard;
        summary += &format!("\nheard in rejected rows: {opted_out} opted out, {paid} paid, {held} held");
    }
    if heard.held > 0 {
        summary += " (`relancectl suppress holds` shows them)";
    }
    if rejected.is_empty() { summary } else { format!("{summary}\n\n{}", rejections(rejected)) }
}

/// Lists the first rejected rows of each column.
pub(super) fn rejections(rejected: &[Rejection]) -> String {
    let mut columns: BTreeMap<&str, Vec<&Rejection>> = BTreeMap::new();
    for rejection in rejected {
        columns.entry(&rejection.column).or_default().push(rejection);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["COLUMN", "REJECTED", "LINE", "VALUE", "REASON"]);
    for (column, rejections) in columns.iter().take(COLUMNS) {
        for (at, rejection) in rejections.iter().take(EXAMPLES).enumerate() {
            let (column, count) = if at == 0 { (*column, rejections.len().to_string()) } else { ("", String::new()) };
            let value = rejection.value.replace(char::is_control, " ");
            table.add_row([column, &count, &rejection.line.to_string(), &value, &rejection.reason]);
        }
    }
    for column in table.column_iter_mut().skip(1).take(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let more = columns.len().saturating_sub(COLUMNS);
    table.trim_fmt() + &if more == 0 { String::new() } else { format!("\n … and {more} more columns") }
}

#[cfg(test)]
mod tests {
    use super::{Report, text};
    use crate::core::domain::{Heard, Rejection};

    #[test]
    fn a_summary_shows_the_first_rejections_of_each_column() {
        let rejection = |line| Rejection::new(line, "phone", "12345", "not a valid phone number of `CM`");
        let rejected = (2..9).map(rejection).chain([Rejection::new(9, "gender", "robot", "not a gender")]).collect();
        let heard = Heard { opted_out: 2, paid: 1, held: 1 };
        let report = Report { read: 10, inserted: 2, updated: 0, unchanged: 0, rejected, heard };
        insta::assert_snapshot!(text(&report), @"
        10 read: 2 inserted, 0 updated, 0 unchanged, 8 rejected
        heard in rejected rows: 2 opted out, 1 paid, 1 held (`relancectl suppress holds` shows them)

         COLUMN  REJECTED  LINE  VALUE  REASON
         gender         1     9  robot  not a gender
         phone          7     2  12345  not a valid phone number of `CM`
                              3  12345  not a valid phone number of `CM`
                              4  12345  not a valid phone number of `CM`
        ");
    }
}
