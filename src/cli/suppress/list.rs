//! `relancectl suppress list` and `relancectl suppress holds`.

use clap::Args;

use crate::cli::database::Database;
use crate::cli::output::Output;
use crate::cli::table::{Cell, Table, counted, people, shorten, thousands, time};
use crate::cli::{Exit, Global, print};
use crate::config::Config;
use crate::core::domain::{Phone, Timestamp};
use crate::store::query::{Held, Page, Suppression};

/// Default row limit of tables.
const LIMIT: i64 = 100;
/// Maximum characters of a text in a table that is not wide.
const SHORT: usize = 48;

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
    /// Maximum number of rows, 0 for all [default: all; 100 for tables]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    limit: Option<i64>,
}

#[derive(Debug, Args)]
pub struct HoldsArgs {
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

pub(super) async fn run(args: &ListArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let limit = match args.limit {
        Some(0) => None,
        None if args.output.is_table() => Some(LIMIT),
        limit => limit,
    };
    let database = Database::open(global, config, 2).await?;
    let (now, _) = database.store.now().await?;
    let page = database.store.suppressions(limit).await?;
    let colour = print::colour(config);
    print::line(&args.output.render(&page.rows, |wide| text(&page, wide, now, colour))?);
    Ok(Exit::Fine)
}

fn text(page: &Page<Suppression>, wide: bool, now: Timestamp, colour: bool) -> String {
    let Page { rows, total } = page;
    if rows.is_empty() {
        return "Nobody is suppressed: no STOP was heard, and nobody was added.".to_owned();
    }
    let cut = |text: &str| if wide { text.to_owned() } else { shorten(text, SHORT) };
    let mut table = Table::new().text(["PHONE", "SINCE", "BY", "ACTOR", "REASON", "SAID"]);
    for row in rows {
        let mut cells =
            vec![Cell::from(Phone::trusted(row.phone.clone()).masked()), Cell::from(time(row.suppressed_at))];
        cells.push(Cell::from(&*row.source));
        cells.push(Cell::maybe(row.actor.as_deref()));
        cells.extend([&row.reason, &row.said].map(|text| Cell::maybe(text.as_deref().map(cut))));
        table.row(cells);
    }
    let shown = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let count = if *total > shown {
        format!("showing {} of {}; --limit 0 shows all", thousands(shown), thousands(*total))
    } else {
        counted(shown, "phone")
    };
    format!("{}\n\n{count} · times are UTC, now {}", table.render(colour), time(now))
}

pub(super) async fn holds(args: &HoldsArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let database = Database::open(global, config, 2).await?;
    let (now, _) = database.store.now().await?;
    let rows = database.store.holds().await?;
    let colour = print::colour(config);
    print::line(&args.output.render(&rows, |wide| held(&rows, wide, now, colour))?);
    Ok(Exit::Fine)
}

fn held(rows: &[Held], wide: bool, now: Timestamp, colour: bool) -> String {
    if rows.is_empty() {
        return "Nobody is on hold: no reply waits to be read.".to_owned();
    }
    let mut table = Table::new().text(["ACCOUNT", "PHONE", "SINCE", "WROTE"]);
    for row in rows {
        let (phone, text) = (Phone::trusted(row.phone.clone()), &row.text);
        // Wide tables show the whole phone, because operators need it to act.
        let (phone, text) =
            if wide { (row.phone.clone(), text.clone()) } else { (phone.masked(), shorten(text, SHORT)) };
        table.row([&row.account, &phone, &time(row.held_at), &text].map(|cell| Cell::from(&**cell)));
    }
    let people = people(i64::try_from(rows.len()).unwrap_or(i64::MAX));
    format!(
        "{}\n\n{people} on hold: `suppress release PHONE` for who did not mean it, `suppress add PHONE` for who did; \
         -o wide shows all · times are UTC, now {}",
        table.render(colour),
        time(now)
    )
}
