//! `relancectl import`.

mod columns;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};

use super::database::Database;
use super::{Exit, Global, print};
use crate::config::Config;
use crate::core::domain::{Heard, Rejection};
use crate::core::lifecycle::detail::Facts;
use crate::facts;
use crate::facts::import::Report;
use crate::facts::{Days, Reading, Source, import};
use crate::store::{Age, Ending};

/// Number of rejections that the summary shows for each column.
const EXAMPLES: usize = 3;
/// The number of columns whose rejections are shown.
const COLUMNS: usize = 50;

#[derive(Debug, clap::Args)]
#[command(after_long_help = columns::help())]
pub struct Import {
    /// Content of the file
    what: What,
    /// CSV or NDJSON file; `-` reads standard input
    #[arg(required_unless_present = "template")]
    file: Option<PathBuf>,
    /// Time of the export: rows older than the known state change nothing [default: now]
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Read the whole file and say what would change, but write nothing
    #[arg(long)]
    dry_run: bool,
    /// Column that a header stands for, such as `Téléphone=phone`; the database remembers it for the next import
    #[arg(long, value_name = "HEADER=COLUMN")]
    map: Vec<String>,
    /// Forget the headers that earlier imports of this kind have mapped
    #[arg(long)]
    forget_map: bool,
    /// Order of day, month and year in dates, such as `dd/mm/yyyy` [default: yyyy-mm-dd]
    #[arg(long, value_name = "FORM", value_parser = Days::parse)]
    date_format: Option<Days>,
    /// Encoding of the file, such as `windows-1252` [default: UTF-8, or UTF-16 if it is recognised]
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// Print a CSV header with all columns, and import nothing
    #[arg(long, conflicts_with_all = ["file", "dry_run", "map", "forget_map"])]
    template: bool,
    /// Write every fault of a rejected row to this file, as CSV
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

impl What {
    const fn facts(self) -> Facts {
        match self {
            Self::Accounts => Facts::Accounts,
            Self::Referrals => Facts::Referrals,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Referrals => "referrals",
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    Text,
    Json,
}

pub(super) async fn run(import: Import, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let facts = import.what.facts();
    let Some(file) = &import.file else {
        print::line(&columns::template(facts));
        return Ok(Exit::Fine);
    };
    let map = import.map.iter().map(|text| facts::mapping(facts, text).map_err(|error| anyhow!("--map: {error}")));
    let map: Vec<(String, String)> = map.collect::<anyhow::Result<_>>()?;
    let encoding = import.encoding.as_deref().map(Reading::encoding).transpose().map_err(anyhow::Error::msg)?;
    let source = if file == Path::new("-") { Source::stream("<stdin>", io::stdin()) } else { Source::open(file)? };
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
    let named = map.iter().map(|(header, _)| header.clone()).collect();
    let mapped = columns::mapped(store, facts, &map, import.forget_map).await?;
    let reading = Reading { encoding, days: import.date_format.unwrap_or_default(), columns: mapped, named };
    let bar = bar(source.size());
    let wrapped = bar.clone();
    let source = source.read_as(reading).through(move |input| Box::new(wrapped.wrap_read(input)));
    let ending = if import.dry_run { Ending::Rollback } else { Ending::Commit };
    let report = import::import(store, facts, source, Age { as_of, now }, ending).await;
    bar.finish_and_clear();
    let report = report.map_err(|error| match &error {
        import::Error::Facts(fault) => match columns::advice(fault, import.what.as_str()) {
            Some(advice) => anyhow!("{error}\n{advice}"),
            None => error.into(),
        },
        import::Error::Store(_) => error.into(),
    })?;
    if !import.dry_run {
        columns::remember(store, facts, &map, import.forget_map).await?;
    }
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

/// Writes every fault of a rejected row to a file.
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
    let Report { dry_run, read, inserted, updated, unchanged, rejected, heard } = report;
    let refused = report.rejected_rows();
    let (done, heard_in) = if *dry_run { ("dry run, nothing was written: ", "to be heard") } else { ("", "heard") };
    let mut summary =
        format!("{done}{read} read: {inserted} inserted, {updated} updated, {unchanged} unchanged, {refused} rejected");
    if heard.is_any() {
        let Heard { opted_out, paid, held } = heard;
        summary += &format!("\n{heard_in} in rejected rows: {opted_out} opted out, {paid} paid, {held} held");
    }
    if heard.held > 0 && !dry_run {
        summary += " (`relancectl suppress holds` shows them)";
    }
    if rejected.is_empty() { summary } else { format!("{summary}\n\n{}", rejections(rejected)) }
}

/// Lists the first faults of each column.
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
        let report = Report { dry_run: false, read: 10, inserted: 2, updated: 0, unchanged: 0, rejected, heard };
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
