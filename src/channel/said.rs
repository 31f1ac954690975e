//! What servers say with their refusals: how long to wait, and why.

use chrono::{DateTime, TimeDelta};

use crate::outgoing::Reply;

/// Nobody waits longer for a limit.
const LONGEST: TimeDelta = TimeDelta::hours(24);
/// Of what was said, in characters.
const MAX_ERROR: usize = 300;

/// How long to wait by the header, which says so in seconds or as a date. A date is read by the clock of who wrote it, the
/// `Date` of the same answer; without one it says nothing.
pub(super) fn retry_after(reply: &Reply) -> Option<TimeDelta> {
    let text = reply.header("retry-after")?.trim();
    let seconds = text.parse().ok().or_else(|| {
        let at = |text: &str| DateTime::parse_from_rfc2822(text).ok();
        Some((at(text)? - at(reply.header("date")?.trim())?).num_seconds())
    });
    wait_of(seconds?)
}

/// So many seconds, if that is a wait.
pub(super) fn wait_of(seconds: i64) -> Option<TimeDelta> {
    (seconds > 0).then(|| TimeDelta::seconds(seconds.min(LONGEST.num_seconds())))
}

/// On one line, and not longer than anybody reads.
pub(super) fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = if line.is_empty() { "no reason was given".to_owned() } else { line };
    if line.chars().count() <= MAX_ERROR { line } else { line.chars().take(MAX_ERROR).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::retry_after;
    use crate::outgoing::Reply;

    type Header<'a> = (&'static str, &'a str);

    #[test]
    fn waits_are_in_seconds_or_dates() {
        let wait = |headers: &[Header<'_>]| retry_after(&Reply::new(503, headers, ""));
        let date = ("date", "Wed, 21 Oct 2026 07:28:00 GMT");
        let at = |time| ("retry-after", time);
        let cases: [(&[Header<'_>], Option<i64>); 8] = [
            (&[], None),
            (&[at("120")], Some(120)),
            (&[at("0")], None),
            (&[at("-5")], None),
            (&[at("Wed, 21 Oct 2026 07:29:30 GMT"), date], Some(90)),
            (&[at("Wed, 21 Oct 2026 07:28:00 GMT"), date], None),
            (&[at("Wed, 21 Oct 2026 07:29:30 GMT")], None),
            (&[at("99999999999")], Some(24 * 60 * 60)),
        ];
        for (headers, expected) in cases {
            assert_eq!(wait(headers), expected.map(TimeDelta::seconds), "{headers:?}");
        }
    }
}
