//! The colours of campaigns: the same for one campaign in every plot of a page.

use crate::time_machine::report::Report;

/// Colours of campaigns; those that come later share the last.
const COLOURS: usize = 8;

/// The campaigns in the order of their colours.
pub(super) fn names<const N: usize>(reports: [&Report; N]) -> Vec<String> {
    let all = reports.into_iter().flat_map(|report| &report.campaigns);
    let mut names: Vec<String> = all.map(|campaign| campaign.name.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The colour of a campaign, from 0.
pub(super) fn colour(name: &str, names: &[String]) -> usize {
    names.iter().position(|known| known == name).unwrap_or(COLOURS).min(COLOURS - 1)
}
