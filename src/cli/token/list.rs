//! `relancectl token list`.

use clap::Args;

use crate::cli::database::Database;
use crate::cli::output::Output;
use crate::cli::table::{Cell, Table, Tone, counted, time};
use crate::cli::{Exit, Global, print};
use crate::config::Config;
use crate::core::domain::Timestamp;
use crate::store::TokenRow;

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

pub(super) async fn run(args: &ListArgs, global: &Global, config: &Config) -> anyhow::Result<Exit> {
    let store = &Database::open(global, config, 2).await?.store;
    let (now, _) = store.now().await?;
    let rows = store.tokens().await?;
    let colour = print::colour(config);
    print::line(&args.output.render(&rows, |wide| text(&rows, wide, now, colour))?);
    Ok(Exit::Fine)
}

fn text(rows: &[TokenRow], wide: bool, now: Timestamp, colour: bool) -> String {
    if rows.is_empty() {
        return "No tokens yet: `relancectl token create --role viewer --name NAME` makes one.".to_owned();
    }
    let mut table = Table::new().text(["NAME", "ROLE", "ACCOUNT", "TOKEN", "STATE", "EXPIRES", "LAST USED"]);
    if wide {
        table = table.text(["CREATED", "BY", "REVOKED", "BY"]);
    }
    for row in rows {
        let mut cells = vec![
            Cell::from(&*row.name),
            Cell::from(row.role.as_str()),
            row.account.as_deref().map_or_else(|| Cell::new("all", Tone::Plain), Cell::from),
            Cell::from(format!("{}…", row.prefix)),
            state(row, now),
            Cell::maybe(row.expires_at.map(time)),
            Cell::maybe(row.last_used_at.map(time)),
        ];
        if wide {
            cells.extend([Cell::from(time(row.created_at)), Cell::from(&*row.created_by)]);
            cells.extend([Cell::maybe(row.revoked_at.map(time)), Cell::maybe(row.revoked_by.as_deref())]);
        }
        table.row(cells);
    }
    let count = counted(i64::try_from(rows.len()).unwrap_or(i64::MAX), "token");
    format!("{}\n\n{count} · times are UTC, now {}", table.render(colour), time(now))
}

fn state(row: &TokenRow, now: Timestamp) -> Cell {
    if row.revoked_at.is_some() {
        Cell::new("revoked", Tone::Faint)
    } else if row.expires_at.is_some_and(|end| end <= now) {
        Cell::new("expired", Tone::Waiting)
    } else {
        Cell::new("works", Tone::Good)
    }
}
