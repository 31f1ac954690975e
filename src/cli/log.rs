//! `relancectl log`: what happened to what teams and operators decide, newest last.

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

/// Lines that a person gets who does not say how many.
const LIMIT: i64 = 100;
/// From one look for new lines to the next.
const PERIOD: Duration = Duration::from_secs(1);
/// Characters of a sentence in a table that is not wide.
const SENTENCE: usize = 100;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only what happened to this campaign, and the revisions that changed it
    #[arg(long, value_name = "NAME")]
    campaign: Option<String>,
    /// Only what happened to this account's runs
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// What happened to one person in one run instead: `campaign/account/referral`, as `get targets` shows it
    #[arg(long, value_name = "ID", conflicts_with_all = ["campaign", "account"])]
    target: Option<String>,
    /// Only since then: a duration such as `2h`, a time (RFC 3339), or a date for its first instant in UTC
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Go on printing what happens, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Show at most so many of the latest, 0 for all [default: 100; all with --since]
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    limit: Option<i64>,
    /// How to print it; with --follow, JSON is an object a line
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
    // One for all rounds: a Ctrl-C that comes during a query counts too.
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

/// `2h` before `now`, a time, or the first instant of a date.
fn since(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    if let Ok(period) = Period::parse(text) {
        return Ok(now - Duration::from(period));
    }
    let Ok(at) = instant::parse(text) else {
        bail!("--since `{text}` is not a time: write `2h`, `2026-09-25` or `2026-09-25T05:14:51Z`");
    };
    Ok(at)
}

/// Whose log is read, and how far it was.
enum Reader<'a> {
    Events {
        store: &'a Store,
        of: LogOf,
        cursor: Option<Cursor>,
    },
    /// Read off the person's rows, which change: a line is new that was not there.
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

    /// The last lines there are.
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

    /// What was not read yet.
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

/// Prints lines below each other, in columns that only ever become wider.
struct Printer {
    output: Output,
    follow: bool,
    widths: [usize; 5],
    began: bool,
}

impl Printer {
    /// Everything at once.
    fn all(&mut self, lines: &[Line]) -> anyhow::Result<String> {
        if !self.output.is_table() {
            return self.output.render(&lines, |_| String::new());
        }
        if lines.is_empty() {
            return Ok("Nothing happened.".to_owned());
        }
        Ok(self.more(lines)?.join("\n"))
    }

    /// The next ones, a text each.
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

/// When, who, to what, from what to what, by which revision.
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
