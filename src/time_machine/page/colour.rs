//! The assignment of colours to campaigns; a campaign has the same colour in every plot of a page.

use crate::time_machine::report::Report;

/// The number of colours; all later campaigns share the last one.
const COLOURS: usize = 8;

/// Returns the campaigns in the order of their colours.
pub(super) fn names<const N: usize>(reports: [&Report; N]) -> Vec<String> {
    let all = reports.into_iter().flat_map(|report| &report.campaigns);
    let mut names: Vec<String> = all.map(|campaign| campaign.name.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Returns the colour of a campaign, from 0.
pub(super) fn colour(name: &str, names: &[String]) -> usize {
    names.iter().position(|known| known == name).unwrap_or(COLOURS).min(COLOURS - 1)
}
