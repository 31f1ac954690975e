//! Conversion of numbers and days to coordinates and labels of a plot.

use serde::Serialize;

use crate::core::domain::NaiveDate;

/// The number of days above which a bar stands for a week.
const MOST_BARS: usize = 120;
/// The maximum number of labels below a plot.
const MOST_LABELS: usize = 10;

/// A label and its coordinate.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Label {
    pub(super) at: String,
    pub(super) text: String,
}

/// Formats a coordinate for SVG.
pub(super) fn place(at: f64) -> String {
    let text = format!("{at:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

#[expect(clippy::cast_precision_loss, reason = "counts of messages and days are far below 2^52")]
pub(super) fn float(n: u64) -> f64 {
    n as f64
}

pub(super) fn index(n: usize) -> f64 {
    float(n as u64)
}

/// Formats a number with separators, such as `12,345`.
pub(super) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns round numbers from 0 to the first that is at least `most`, six at most.
pub(super) fn ticks(most: u64) -> Vec<u64> {
    let rounds = (0..18).flat_map(|power| [1, 2, 5].map(|round| round * 10_u64.pow(power)));
    let step = rounds.into_iter().find(|step| step * 5 >= most).unwrap_or(most);
    let steps = most.max(1).div_ceil(step);
    (0..=steps).map(|n| n * step).collect()
}

/// Returns the distance between two labelled bars.
pub(super) fn every(bars: usize) -> usize {
    [1, 2, 7, 14, 28, 56, 112].into_iter().find(|step| bars.div_ceil(*step) <= MOST_LABELS).unwrap_or(224)
}

/// Returns the number of days that a bar stands for.
pub(super) fn days_a_bar(days: usize) -> usize {
    if days > MOST_BARS { 7 } else { 1 }
}

/// Formats a date as day and month, such as `24 Nov`.
pub(super) fn short(date: NaiveDate) -> String {
    date.format("%-d %b").to_string()
}

#[cfg(test)]
mod tests {
    use super::{every, place, thousands, ticks};

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(0), [0, 1]);
        assert_eq!(ticks(4), [0, 1, 2, 3, 4]);
        assert_eq!(ticks(7), [0, 2, 4, 6, 8]);
        assert_eq!(ticks(5_165), [0, 2_000, 4_000, 6_000]);
        for most in (0..2_000).chain([123_456, 999_999, u64::from(u32::MAX)]) {
            let ticks = ticks(most);
            assert!(ticks.len() <= 6 && *ticks.last().unwrap() >= most, "{most}: {ticks:?}");
        }
    }

    #[test]
    fn plot_labels_and_numbers_are_formatted() {
        assert_eq!([1, 10, 11, 30, 90, 120].map(every), [1, 1, 2, 7, 14, 14]);
        assert_eq!([0.0, 12.34, 99.96].map(place), ["0", "12.3", "100"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
