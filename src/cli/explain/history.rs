//! The section that lists a history.

use crate::cli::layout::section;
use crate::cli::table::{Cell, Table, time};
use crate::store::query::Entry;

/// The maximum number of entries shown. A person in a few campaigns has fewer.
pub(super) const HISTORY: usize = 100;

/// Renders a history below a title; `campaigns` adds the campaign of each entry.
pub(super) fn history(entries: &[Entry], campaigns: bool, colour: bool) -> String {
    let title = if entries.len() < HISTORY { "History".to_owned() } else { format!("History, the last {HISTORY}") };
    let table = Table::new().text(["AT"]);
    let table = if campaigns { table.text(["CAMPAIGN"]) } else { table };
    let table = entries.iter().fold(table.text(["WHAT"]), |mut table, entry| {
        let campaign = campaigns.then(|| Cell::maybe(entry.campaign.as_deref()));
        let row = [Some(Cell::from(time(entry.at))), campaign, Some(Cell::from(&*entry.sentence))];
        table.row(row.into_iter().flatten());
        table
    });
    section(&title, &table.render(colour))
}
