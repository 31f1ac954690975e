//! Texts of refusals: the wait and the reason that they state.

use chrono::{DateTime, NaiveDateTime, TimeDelta};

use crate::channel::outgoing::Reply;
use crate::core::domain::Timestamp;

/// The longest wait that a limit may impose.
const LONGEST: TimeDelta = TimeDelta::hours(24);
/// The longest text of an error, in characters.
const MAX_ERROR: usize = 300;

/// The older forms of a date that a receiver of HTTP must understand: that of RFC 850, and that of `asctime`.
const OLD_DATES: [&str; 2] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// Returns the wait that the `Retry-After` header states, in seconds or as a date. A date is compared with the `Date`
/// header of the same answer, because the clock of the server counts; without that header, with `now`.
pub(super) fn retry_after(reply: &Reply, now: Option<Timestamp>) -> Option<TimeDelta> {
    let text = reply.header("retry-after")?.trim();
    if let Some(seconds) = seconds(text) {
        return wait_of(seconds);
    }
    let sent_at = reply.header("date").and_then(|text| date(text.trim())).or(now)?;
    wait_of((date(text)? - sent_at).num_seconds())
}

/// Reads a number of seconds. A part of a second counts as a whole one.
fn seconds(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let rest = part.bytes().any(|byte| byte != b'0');
    part.bytes().all(|byte| byte.is_ascii_digit()).then(|| whole.parse::<i64>().ok())??.checked_add(rest.into())
}

/// Reads a date of HTTP, which is always in UTC.
fn date(text: &str) -> Option<Timestamp> {
    let old = |form: &&str| NaiveDateTime::parse_from_str(text, form).ok().map(|date| date.and_utc());
    let usual = DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc());
    usual.or_else(|| OLD_DATES.iter().find_map(old))
}

/// Returns a wait of `seconds`, at most 24 hours; `None` unless it is positive.
pub(super) fn wait_of(seconds: i64) -> Option<TimeDelta> {
    (seconds > 0).then(|| TimeDelta::seconds(seconds.min(LONGEST.num_seconds())))
}

/// Returns the text on one line, cut to 300 characters.
pub(super) fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = if line.is_empty() { "no reason was given".to_owned() } else { line };
    if line.chars().count() <= MAX_ERROR { line } else { line.chars().take(MAX_ERROR).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::retry_after;
    use crate::channel::outgoing::Reply;

    type Header<'a> = (&'static str, &'a str);

    #[test]
    fn a_retry_after_value_is_seconds_or_a_date() {
        let now = "2026-10-21T07:20:00Z".parse().unwrap();
        let reply = |headers: &[Header<'_>]| Reply::new(503, headers, "");
        let wait = |headers: &[Header<'_>]| retry_after(&reply(headers), Some(now));
        let date = ("date", "Wed, 21 Oct 2026 07:28:00 GMT");
        let at = |time| ("retry-after", time);
        let cases: [(&[Header<'_>], Option<i64>); 15] = [
            (&[], None),
            (&[at("120")], Some(120)),
            (&[at("1.5")], Some(2)),
            (&[at("3.0")], Some(3)),
            (&[at("0")], None),
            (&[at("-5")], None),
            (&[at("soon")], None),
            (&[at("1.x")], None),
            (&[at("Wed, 21 Oct 2026 07:29:30 GMT"), date], Some(90)),
            (&[at("Wednesday, 21-Oct-26 07:29:30 GMT"), date], Some(90)),
            (&[at("Wed Oct 21 07:29:30 2026"), date], Some(90)),
            (&[at("Wed, 21 Oct 2026 07:28:00 GMT"), date], None),
            // Our own clock serves when the server does not say what its own one shows.
            (&[at("Wed, 21 Oct 2026 07:29:30 GMT")], Some(570)),
            (&[at("Wed, 21 Oct 2026 07:19:30 GMT")], None),
            (&[at("99999999999")], Some(24 * 60 * 60)),
        ];
        for (headers, expected) in cases {
            assert_eq!(wait(headers), expected.map(TimeDelta::seconds), "{headers:?}");
        }
        assert_eq!(retry_after(&reply(&[at("Wed, 21 Oct 2026 07:29:30 GMT")]), None), None);
    }
}
