//! Bar charts of block characters: one row per day, or per week for many days.

use crate::cli::table::{Table, thousands};
use crate::core::domain::NaiveDate;

/// The largest number of days drawn day by day; more are drawn week by week.
const MOST_DAYS: usize = 62;
/// Eighths of a character cell.
const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
/// The width assumed for a terminal that reports none, and the range to which any width is clamped.
const USUAL_WIDTH: u16 = 80;
const WIDTHS: std::ops::RangeInclusive<u16> = 40..=120;
/// The columns of a row outside the bar: the date, the number and the gaps between them.
const TAKEN: u16 = 30;

/// Returns the longest bar that fits the terminal, in characters.
pub(super) fn room() -> usize {
    let width = comfy_table::Table::new().width().unwrap_or(USUAL_WIDTH);
    usize::from(width.clamp(*WIDTHS.start(), *WIDTHS.end()) - TAKEN)
}

/// Renders the chart of counts on consecutive days.
pub(super) fn per_day(days: &[(NaiveDate, u64)], room: usize, colour: bool) -> String {
    let weekly = days.len() > MOST_DAYS;
    let rows: Vec<(String, u64)> = if weekly {
        let sum = |week: &[(NaiveDate, u64)]| week.iter().map(|(_, n)| n).sum();
        days.chunks(7).map(|week| (week[0].0.to_string(), sum(week))).collect()
    } else {
        days.iter().map(|(date, n)| (date.format("%a %Y-%m-%d").to_string(), *n)).collect()
    };
    let most = rows.iter().map(|(_, n)| *n).max().unwrap_or_default();
    let first = if weekly { "WEEK FROM" } else { "DAY" };
    let mut table = Table::new().text([first]).numbers(["MESSAGES"]).text([""]);
    for (date, n) in rows {
        table.row([date, thousands(i64::try_from(n).unwrap_or(i64::MAX)), bar(n, most, room)].map(Into::into));
    }
    table.render(colour)
}

/// Renders `n` in proportion to `most`, which takes `room` characters. A count above zero is always visible.
pub(super) fn bar(n: u64, most: u64, room: usize) -> String {
    if n == 0 || most == 0 {
        return String::new();
    }
    let eighths = u64::try_from(room).unwrap_or(0).saturating_mul(8);
    let length = usize::try_from(u128::from(n) * u128::from(eighths) / u128::from(most)).unwrap_or(0).max(1);
    let rest = length.checked_rem(8).and_then(|rest| rest.checked_sub(1)).map(|rest| EIGHTHS[rest]);
    "█".repeat(length / 8).chars().chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::{bar, per_day};
    use crate::core::domain::NaiveDate;

    fn days(n: usize) -> Vec<(NaiveDate, u64)> {
        let first: NaiveDate = "2026-11-30".parse().unwrap();
        first.iter_days().take(n).zip((0_u64..).map(|n| n * n)).collect()
    }

    #[test]
    fn bar_length_is_proportional_to_its_number() {
        assert_eq!(bar(100, 100, 10), "██████████");
        assert_eq!(bar(55, 100, 10), "█████▌");
        assert_eq!(bar(1, 1_000_000, 10), "▏");
        assert_eq!(bar(0, 100, 10), "");
        assert_eq!(bar(0, 0, 10), "");
        assert_eq!(bar(u64::MAX, u64::MAX, 10), "██████████");
    }

    #[test]
    fn a_chart_has_one_row_per_day_or_week() {
        insta::assert_snapshot!(per_day(&days(5), 16, false), @"
        DAY             MESSAGES
        Mon 2026-11-30         0
        Tue 2026-12-01         1  █
        Wed 2026-12-02         4  ████
        Thu 2026-12-03         9  █████████
        Fri 2026-12-04        16  ████████████████
        ");
        insta::assert_snapshot!("a_row_a_week", per_day(&days(70), 8, false));
    }
}
