//! Refusals of webhooks: their answers, and log lines whose number does not grow with the number of requests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;

/// The interval at which a repeated refusal is logged again, with the count since the last line.
const FOLD: Duration = Duration::from_mins(1);

/// The reason of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    UnknownChannel,
    WrongToken,
    NoSignature,
    WrongSignature,
    TooLarge,
    TooSlow,
    /// The client disconnected in the middle of the body.
    Broken,
    NotJson,
    /// The process has no secret to verify the webhook with.
    NoSecret,
    Busy,
    NotKept,
}

impl Reason {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::UnknownChannel => StatusCode::NOT_FOUND,
            Self::WrongToken => StatusCode::FORBIDDEN,
            Self::NoSignature | Self::WrongSignature => StatusCode::UNAUTHORIZED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken | Self::NotJson => StatusCode::BAD_REQUEST,
            // A 503 makes the provider send the webhook again.
            Self::NoSecret | Self::Busy | Self::NotKept => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::UnknownChannel => "there is no such channel",
            Self::WrongToken => "the verify token is not ours",
            Self::NoSignature => "it is not signed",
            Self::WrongSignature => "its signature is wrong",
            Self::TooLarge => "it is too large",
            Self::TooSlow => "it did not arrive in time",
            Self::Broken => "it broke off",
            Self::NotJson => "it is not JSON",
            Self::NoSecret => "the secret of the channel cannot be read",
            Self::Busy => "too much is arriving at once",
            Self::NotKept => "it could not be written down",
        }
    }
}

/// The refusals already logged, by channel and reason.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Folds>);

impl Refusals {
    /// Counts a refusal and logs the first of its kind. `detail` appears only in that line.
    pub(super) fn note(&self, channel: &str, reason: Reason, detail: Option<&str>) {
        // A client can invent any number of channel names.
        let channel = if reason == Reason::UnknownChannel { "?" } else { channel };
        if self.folds().note((channel.to_owned(), reason), Instant::now()) {
            let detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
            tracing::warn!(channel.name = channel, "refused a webhook: {}{detail}", reason.sentence());
        }
    }

    /// Logs the counts of repeated refusals that were last logged at least `FOLD` ago.
    pub(super) fn tell_folded(&self, now: Instant) {
        let due = self.folds().take_due(now);
        tell(due);
    }

    /// Logs all remaining counts.
    pub(super) fn tell_rest(&self) {
        let rest = self.folds().take_all();
        tell(rest);
    }

    fn folds(&self) -> MutexGuard<'_, Folds> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(folded: Vec<(Key, u64)>) {
    for ((channel, reason), count) in folded {
        tracing::warn!(channel.name = channel, count, "refused webhooks: {}", reason.sentence());
    }
}

type Key = (String, Reason);

/// The time of the last log line and the count since, by channel and reason.
#[derive(Debug, Default)]
struct Folds(BTreeMap<Key, (Instant, u64)>);

impl Folds {
    /// Counts a refusal. Returns whether it deserves a line of its own.
    fn note(&mut self, key: Key, now: Instant) -> bool {
        if let Some((_, more)) = self.0.get_mut(&key) {
            *more += 1;
            return false;
        }
        self.0.insert(key, (now, 0));
        true
    }

    fn take_due(&mut self, now: Instant) -> Vec<(Key, u64)> {
        let due = |logged_at: Instant| now.saturating_duration_since(logged_at) >= FOLD;
        let counted: Vec<(Key, u64)> = self
            .0
            .iter_mut()
            .filter(|(_, (logged_at, more))| due(*logged_at) && *more > 0)
            .map(|(key, (logged_at, more))| {
                *logged_at = now;
                (key.clone(), std::mem::take(more))
            })
            .collect();
        self.0.retain(|_, (logged_at, _)| !due(*logged_at));
        counted
    }

    fn take_all(&mut self) -> Vec<(Key, u64)> {
        let all = std::mem::take(&mut self.0).into_iter();
        all.filter(|(_, (_, more))| *more > 0).map(|(key, (_, more))| (key, more)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{FOLD, Folds, Key, Reason};

    fn key(channel: &str, reason: Reason) -> Key {
        (channel.to_owned(), reason)
    }

    #[test]
    fn a_repeated_refusal_is_logged_once_a_minute_with_its_count() {
        let (mut folds, start) = (Folds::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let wrong = || key("a", Reason::WrongSignature);
        assert!(folds.note(wrong(), at(0)));
        assert!(folds.note(key("b", Reason::WrongSignature), at(0)));
        assert!(folds.note(key("a", Reason::TooLarge), at(0)));
        for second in 1..=50 {
            assert!(!folds.note(wrong(), at(second)));
        }
        assert_eq!(folds.take_due(at(59)), []);
        // A refusal that occurred once is dropped; a repeated one is counted and stays folded.
        assert_eq!(folds.take_due(at(60)), [(wrong(), 50)]);
        assert!(folds.note(key("b", Reason::WrongSignature), at(61)));
        assert!(!folds.note(wrong(), at(61)));
        assert_eq!(folds.take_due(at(60) + FOLD), [(wrong(), 1)]);
        assert_eq!(folds.take_due(at(60) + FOLD * 2), []);
        assert!(folds.note(wrong(), at(60) + FOLD * 2));
        assert!(!folds.note(wrong(), at(60) + FOLD * 2));
        assert_eq!(folds.take_all(), [(wrong(), 1)]);
    }
}
