//! `relancectl get`: lists objects, as a table or for scripts.

mod pages;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

use super::database::Database;
use super::output::Output;
use super::rows::Rows;
use super::table::{counted, one_line, thousands, time};
use super::{Exit, Global, in_force, known, overrides, print};
use crate::config::Config;
use crate::core::dispatch::program::Program;
use crate::core::domain::Timestamp;
use crate::core::lifecycle::message;
use crate::core::lifecycle::run::Phase;
use crate::store::query::{Override, Page, Standing, Wanted};
use crate::store::{Speed, Store};

/// Default row limit for tables of targets and messages, of which there may be millions.
const LIMIT: i64 = 100;
const REDRAW: Duration = Duration::from_secs(1);

#[derive(Debug, Subcommand)]
pub enum Get {
    /// List campaigns, each over all its accounts
    #[command(visible_alias = "campaign")]
    Campaigns {
        #[arg(long, value_name = "NAME")]
        campaign: Option<String>,
        #[command(flatten)]
        view: View,
    },
    /// List runs: one campaign for one account each
    #[command(visible_alias = "run")]
    Runs {
        #[command(flatten)]
        of: Of,
        #[arg(long, value_parser = words(Phase::ALL.map(Phase::as_str), Phase::parse))]
        phase: Option<Phase>,
        #[command(flatten)]
        view: View,
    },
    /// List targets: one person in one run each, with the reason when nothing is sent
    #[command(visible_alias = "target")]
    Targets {
        #[command(flatten)]
        of: Of,
        #[arg(long, value_name = "ID")]
        referral: Option<String>,
        #[arg(long, value_parser = words(Standing::ALL.map(Standing::as_str), Standing::parse))]
        state: Option<Standing>,
        #[command(flatten)]
        view: View,
    },
    /// List messages, in the order they were queued
    #[command(visible_alias = "message")]
    Messages {
        #[command(flatten)]
        of: Of,
        #[arg(long, value_name = "ID")]
        referral: Option<String>,
        #[arg(long, value_parser = words(message::State::ALL.map(message::State::as_str), message::State::parse))]
        state: Option<message::State>,
        /// Day of the sequence
        #[arg(long, value_parser = clap::value_parser!(i16).range(1..))]
        day: Option<i16>,
        #[command(flatten)]
        view: View,
    },
    /// List accounts, with their progress today
    #[command(visible_alias = "account")]
    Accounts {
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        #[command(flatten)]
        view: View,
    },
    /// List revisions: the accepted states of the files
    #[command(visible_alias = "revision")]
    Revisions {
        #[command(flatten)]
        view: View,
    },
}

#[derive(Debug, Args)]
pub struct Of {
    #[arg(long, value_name = "NAME")]
    campaign: Option<String>,
    #[arg(long, value_name = "ID")]
    account: Option<String>,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct View {
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
    /// Refresh whenever something changes, until Ctrl-C
    #[arg(short, long)]
    watch: bool,
    /// Maximum number of rows, 0 for all [default: all; 100 for tables of targets and messages]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    limit: Option<i64>,
}

/// Accepts exactly `words`.
fn words<T: Clone + Send + Sync + 'static, const N: usize>(
    words: [&'static str; N],
    parse: fn(&str) -> Option<T>,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words).map(move |word| parse(&word).expect("only words that parse are possible"))
}

#[derive(Debug, Clone, Copy)]
enum Noun {
    Campaigns,
    Runs,
    Targets,
    Messages,
    Accounts,
    Revisions,
}

impl Get {
    fn wanted(self) -> (Noun, Wanted, View) {
        let all = Wanted::default();
        match self {
            Self::Campaigns { campaign, view } => (Noun::Campaigns, Wanted { campaign, ..all }, view),
            Self::Runs { of: Of { campaign, account }, phase, view } => {
                (Noun::Runs, Wanted { campaign, account, phase, ..all }, view)
            }
            Self::Targets { of: Of { campaign, account }, referral, state, view } => {
                (Noun::Targets, Wanted { campaign, account, referral, standing: state, ..all }, view)
            }
            Self::Messages { of: Of { campaign, account }, referral, state, day, view } => {
                (Noun::Messages, Wanted { campaign, account, referral, message: state, day, ..all }, view)
            }
            Self::Accounts { account, view } => (Noun::Accounts, Wanted { account, ..all }, view),
            Self::Revisions { view } => (Noun::Revisions, all, view),
        }
    }
}

pub(super) async fn run(get: Get, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let (noun, mut wanted, view) = get.wanted();
    wanted.limit = match (view.limit, noun) {
        (Some(0), _) => None,
        (Some(limit), _) => Some(limit),
        (None, Noun::Targets | Noun::Messages) if view.output.is_table() => Some(LIMIT),
        (None, _) => None,
    };
    let database = Database::open(global, config, 2).await?;
    let mut looker = Looker { store: &database.store, program: Arc::default(), colour: print::colour(config) };
    check_names(looker.store, &wanted).await?;
    if view.watch {
        return watch(&mut looker, noun, &wanted, view.output).await;
    }
    if wanted.limit.is_none() && matches!(noun, Noun::Targets | Noun::Messages) {
        return pages::print_all(&mut looker, noun, &wanted, view.output).await;
    }
    let seen = looker.look(noun, &wanted).await?;
    print::line(&seen.render(view.output, &wanted, looker.colour)?);
    Ok(Exit::Fine)
}

async fn check_names(store: &Store, wanted: &Wanted) -> anyhow::Result<()> {
    if let Some(campaign) = &wanted.campaign {
        known::campaign(store, campaign).await?;
    }
    if let Some(account) = &wanted.account {
        known::account(store, account).await?;
    }
    if let Some(referral) = &wanted.referral {
        known::referral(store, referral, wanted.account.as_deref()).await?;
    }
    Ok(())
}

/// Redraws every second on a terminal; elsewhere prints again whenever the rows have changed.
async fn watch(looker: &mut Looker<'_>, noun: Noun, wanted: &Wanted, output: Output) -> anyhow::Result<Exit> {
    let screen = print::is_terminal();
    let mut before: Option<Rows> = None;
    // One future serves all rounds, so that a Ctrl-C during a query counts too.
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    loop {
        let seen = looker.look(noun, wanted).await?;
        let changed = before.as_ref() != Some(&seen.rows);
        if screen || changed {
            let text = seen.render(output, wanted, looker.colour)?;
            let clock = if output.is_table() { looker.clock(&seen).await? } else { String::new() };
            let read = if screen { print::screen(&(clock + &text)) } else { print::watched(&(clock + &text)) };
            if !read {
                return Ok(Exit::Fine);
            }
        }
        before = Some(seen.rows);
        tokio::select! {
            result = &mut interrupted => return Ok(result.map(|()| Exit::Fine)?),
            () = tokio::time::sleep(REDRAW) => {}
        }
    }
}

/// A reader of rows that compiles the revision in force again only when it has changed.
struct Looker<'a> {
    store: &'a Store,
    program: Arc<Program>,
    colour: bool,
}

impl Looker<'_> {
    async fn look(&mut self, noun: Noun, wanted: &Wanted) -> anyhow::Result<Seen> {
        let store = self.store;
        let (now, speed) = store.now().await?;
        let overrides = match noun {
            Noun::Campaigns | Noun::Runs => concerning(store.overrides(now).await?, wanted),
            Noun::Targets | Noun::Messages | Noun::Accounts | Noun::Revisions => Vec::new(),
        };
        let (rows, total) = match noun {
            Noun::Campaigns => {
                let mut rows = store.campaigns(wanted).await?;
                let program = self.program().await?;
                for row in rows.iter_mut().filter(|row| row.removed_at.is_none()) {
                    row.frozen = program.why_frozen(&row.name).map(ToString::to_string);
                }
                (Rows::Campaigns(rows), None)
            }
            Noun::Runs => {
                let mut rows = store.runs(wanted).await?;
                let program = self.program().await?;
                for row in rows.iter_mut().filter(|row| row.finished_at.is_none()) {
                    row.frozen = program.why_frozen(&row.campaign).map(ToString::to_string);
                }
                (Rows::Runs(rows), None)
            }
            Noun::Targets => {
                let Page { rows, total } = store.targets(&*self.program().await?, wanted, now).await?;
                (Rows::Targets(rows), Some(total))
            }
            Noun::Messages => {
                let Page { rows, total } = store.messages(wanted).await?;
                (Rows::Messages(rows), Some(total))
            }
            Noun::Accounts => (Rows::Accounts(store.accounts(&*self.program().await?, wanted, now).await?), None),
            Noun::Revisions => (Rows::Revisions(store.revisions(wanted).await?), None),
        };
        Ok(Seen { rows, total, overrides, now, speed })
    }

    async fn program(&mut self) -> anyhow::Result<Arc<Program>> {
        if self.program.generation != self.store.generation().await? {
            self.program = Arc::new(in_force::program(self.store).await?);
        }
        Ok(Arc::clone(&self.program))
    }

    /// Returns a first line with the time when the clock is not the real one, else an empty string.
    async fn clock(&self, seen: &Seen) -> anyhow::Result<String> {
        if self.store.is_real_time().await? {
            return Ok(String::new());
        }
        let pace =
            if seen.speed == Speed(1.0) { String::new() } else { format!(", {} times real speed", seen.speed.0) };
        Ok(format!("Clock: {}{pace}\n\n", seen.now.format("%Y-%m-%d %H:%M:%S UTC")))
    }
}

/// Keeps the overrides that may apply to the requested rows.
fn concerning(mut overrides: Vec<Override>, wanted: &Wanted) -> Vec<Override> {
    let may = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
    overrides.retain(|order| may(&order.campaign, &wanted.campaign) && may(&order.account, &wanted.account));
    overrides
}

/// Rows, the total count without the limit if it was counted, and the time of reading.
#[derive(Debug)]
struct Seen {
    rows: Rows,
    total: Option<i64>,
    /// The overrides that may apply to the campaigns or runs shown.
    overrides: Vec<Override>,
    now: Timestamp,
    speed: Speed,
}

impl Seen {
    fn render(&self, output: Output, wanted: &Wanted, colour: bool) -> anyhow::Result<String> {
        output.render(&self.rows, |wide| self.text(wide, wanted, colour))
    }

    fn text(&self, wide: bool, wanted: &Wanted, colour: bool) -> String {
        if self.rows.len() == 0 {
            let anything = Wanted { limit: wanted.limit, ..Wanted::default() };
            let noun = self.rows.noun();
            return if *wanted == anything {
                self.rows.none_yet().to_owned()
            } else {
                format!("No {noun} matches these filters; `relancectl get {noun}s` without filters shows all.")
            };
        }
        let mut text = self.rows.table(wide, self.now).render(colour);
        if !self.overrides.is_empty() {
            text += &format!("\n\nOverrides by operators:\n{}", overrides::lines(&self.overrides));
        }
        let frozen = self.rows.frozen();
        if !frozen.is_empty() {
            text += "\n\nFrozen, since what is stored cannot be used; `relancectl plan` has the remedy:";
        }
        for (campaign, why) in frozen {
            write!(text, "\n  {campaign}: {}", one_line(why)).expect("writing to a string cannot fail");
        }
        let shown = i64::try_from(self.rows.len()).unwrap_or(i64::MAX);
        text += &footer(shown, self.total, self.rows.noun(), self.now);
        text
    }
}

/// Returns the last line of a table, after an empty one.
fn footer(shown: i64, total: Option<i64>, noun: &str, now: Timestamp) -> String {
    let count = match total {
        Some(total) if total > shown => {
            format!("showing {} of {}; --limit 0 shows all", thousands(shown), thousands(total))
        }
        Some(_) | None => counted(shown, noun),
    };
    format!("\n\n{count} · times are UTC, now {}", time(now))
}
