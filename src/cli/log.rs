//! `relancectl log`: the history of what teams and operators decide, oldest first.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::bail;

use super::database::Database;
use super::output::Output;
use super::table::{one_line, shorten};
use super::{Exit, Global, instant, known, print};
use crate::config::Config;
use crate::core::domain::{Period, Timestamp};
use crate::store::Store;
use crate::store::query::{Cursor, HistoryOf, Line, LogOf, TargetName};

/// Default number of lines.
const LIMIT: i64 = 100;
/// The interval between two queries for new lines.
const PERIOD: Duration = Duration::from_secs(1);
/// Maximum characters of a sentence in a table that is not wide.
const SENTENCE: usize = 100;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only events of this campaign, and the revisions that changed it
    #[arg(long, value_name = "NAME")]
    campaign: Option<String>,
    /// Only events of this account's runs
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Show the events of one person in one run instead: `campaign/account/referral`, as `get targets` shows it
    #[arg(long, value_name = "ID", conflicts_with_all = ["campaign", "account"])]
    target: Option<String>,
    /// Only since then: a duration such as `2h`, a time (RFC 3339), or a date for its first instant in UTC
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Continue with new events as they happen, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Maximum number of latest lines, 0 for all [default: 100; all with --since]
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    limit: Option<i64>,
    /// Output format; with --follow, JSON is one object per line
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

pub(super) async fn run(args: &Args, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let database = Database::open(global, config, 2).await?;
    let store = &database.store;
    let (now, _) = store.now().await?;
    let since = args.since.as_deref().map(|text| since(text, now)).transpose()?;
    let limit = match args.limit {
        Some(0) => None,
        None if since.is_some() => None,
        limit => Some(limit.unwrap_or(LIMIT)),
    };
    let mut reader = Reader::open(store, args, since).await?;
    let mut printer = Printer { output: args.output, follow: args.follow, widths: HEADER.map(str::len), began: false };
    let lines = reader.latest(limit).await?;
    if !args.follow {
        print::line(&printer.all(&lines)?);
        return Ok(Exit::Fine);
    }
    // One future serves all rounds, so that a Ctrl-C during a query counts too.
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    let mut news = lines;
    loop {
        for text in printer.more(&news)? {
            if !print::watched(&text) {
                return Ok(Exit::Fine);
            }
        }
        tokio::select! {
            result = &mut interrupted => return Ok(result.map(|()| Exit::Fine)?),
            () = tokio::time::sleep(PERIOD) => {}
        }
        news = reader.news().await?;
    }
}

/// Parses `2h` before `now`, a time, or the first instant of a date.
fn since(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    if let Ok(period) = Period::parse(text) {
        return Ok(now - Duration::from(period));
    }
    let Ok(at) = instant::parse(text) else {
        bail!("--since `{text}` is not a time: write `2h`, `2026-09-25` or `2026-09-25T05:14:51Z`");
    };
    Ok(at)
}

/// The source of the lines, and the position up to which they were read.
enum Reader<'a> {
    Events {
        store: &'a Store,
        of: LogOf,
        cursor: Option<Cursor>,
    },
    /// A person's history, derived from rows that change: a line is new if it was not there before.
    Person {
        store: &'a Store,
        name: TargetName,
        since: Option<Timestamp>,
        seen: HashSet<Line>,
    },
}

impl<'a> Reader<'a> {
    async fn open(store: &'a Store, args: &Args, since: Option<Timestamp>) -> anyhow::Result<Self> {
        if let Some(id) = &args.target {
            let name = known::target(store, id).await?;
            return Ok(Self::Person { store, name, since, seen: HashSet::new() });
        }
        if let Some(campaign) = &args.campaign {
            known::campaign(store, campaign).await?;
        }
        if let Some(account) = &args.account {
            known::account(store, account).await?;
        }
        let of = LogOf { campaign: args.campaign.clone(), account: args.account.clone(), since };
        Ok(Self::Events { store, of, cursor: None })
    }

    /// Reads the last lines.
    async fn latest(&mut self, limit: Option<i64>) -> anyhow::Result<Vec<Line>> {
        match self {
            Self::Events { store, of, cursor } => {
                let (lines, end) = store.log(of, limit).await?;
                *cursor = Some(end);
                Ok(lines)
            }
            Self::Person { .. } => {
                let mut lines = self.news().await?;
                let most = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
                lines.drain(..lines.len().saturating_sub(most));
                Ok(lines)
            }
        }
    }

    /// Reads the lines that are new since the last call.
    async fn news(&mut self) -> anyhow::Result<Vec<Line>> {
        match self {
            Self::Events { store, of, cursor } => {
                let Some(before) = cursor else { return Ok(Vec::new()) };
                let (lines, end) = store.log_after(of, before).await?;
                *cursor = Some(end);
                Ok(lines)
            }
            Self::Person { store, name, since, seen } => {
                let entries = store.history(HistoryOf::Target(name), usize::MAX).await?;
                let lines =
                    entries.into_iter().map(Line::from).filter(|line| since.is_none_or(|since| line.at >= since));
                Ok(lines.filter(|line| seen.insert(line.clone())).collect())
            }
        }
    }
}

const HEADER: [&str; 5] = ["TIME (UTC)", "WHO", "WHAT", "CHANGE", "REV"];

/// A printer of lines in aligned columns that only become wider.
struct Printer {
    output: Output,
    follow: bool,
    widths: [usize; 5],
    began: bool,
}

impl Printer {
    /// Renders all lines at once.
    fn all(&mut self, lines: &[Line]) -> anyhow::Result<String> {
        if !self.output.is_table() {
            return self.output.render(&lines, |_| String::new());
        }
        if lines.is_empty() {
            return Ok("Nothing happened.".to_owned());
        }
        Ok(self.more(lines)?.join("\n"))
    }

    /// Renders further lines, one text each.
    fn more(&mut self, lines: &[Line]) -> anyhow::Result<Vec<String>> {
        match self.output {
            Output::Json => lines.iter().map(|line| Ok(serde_json::to_string(line)?)).collect(),
            Output::Yaml => {
                lines.iter().map(|line| Ok(format!("---\n{}", serde_yaml::to_string(line)?.trim_end()))).collect()
            }
            Output::Table | Output::Wide => Ok(self.table(lines)),
        }
    }

    fn table(&mut self, lines: &[Line]) -> Vec<String> {
        let rows: Vec<[String; 5]> = lines.iter().map(cells).collect();
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut texts = Vec::with_capacity(rows.len() + 1);
        if !self.began && (self.follow || !rows.is_empty()) {
            texts.push(self.row(&HEADER, "SENTENCE"));
            self.began = true;
        }
        for (row, line) in rows.iter().zip(lines) {
            let sentence = match self.output {
                Output::Table => shorten(&line.sentence, SENTENCE),
                Output::Wide | Output::Json | Output::Yaml => one_line(&line.sentence),
            };
            texts.push(self.row(row, &sentence));
        }
        texts
    }

    fn row(&self, cells: &[impl AsRef<str>; 5], sentence: &str) -> String {
        let mut text = String::new();
        for (cell, width) in cells.iter().zip(self.widths) {
            text += &format!("{:<width$}  ", cell.as_ref());
        }
        text + sentence
    }
}

/// Returns the cells: time, actor, object, change and revision.
fn cells(line: &Line) -> [String; 5] {
    let dash = || "-".to_owned();
    let what = [&line.campaign, &line.account, &line.referral].into_iter().flatten();
    let what = what.map(|name| one_line(name)).collect::<Vec<_>>().join("/");
    let change = match (&line.before, &line.after) {
        (Some(before), Some(after)) if before == after => after.clone(),
        (Some(before), Some(after)) => format!("{before} → {after}"),
        (Some(before), None) => format!("{before} → -"),
        (None, Some(after)) => format!("- → {after}"),
        (None, None) => dash(),
    };
    [
        line.at.format("%Y-%m-%d %H:%M:%S").to_string(),
        line.actor.as_deref().map_or_else(dash, one_line),
        if what.is_empty() { dash() } else { what },
        change,
        line.revision.map_or_else(dash, |revision| revision.to_string()),
    ]
}
