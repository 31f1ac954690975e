//! Delivery of notifications: the body in the receiver's format, the signature, and the retry after a failure.
//!
//! A receiver that says `Retry-After` gets nothing before: neither this notification nor another one of its notifier.

mod form;
mod sign;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;

use crate::channel::outgoing;
use crate::channel::outgoing::{Call, Outgoing};
use crate::channel::refusal_text::retry_after;
use crate::channel::secret;
use crate::core::domain::Timestamp;
use crate::core::lifecycle::notification::{Delivery, Notification};
use crate::core::manifest::desired::NotifierType;

/// The pause after the first failed attempt; each later pause is twice as long as the one before.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(10);
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(1);
/// The age at which a notification is given up. If the receiver asks for a pause, the day begins at its end.
const GIVE_UP: TimeDelta = TimeDelta::hours(24);
/// The age at which a notification is no longer of use, whatever the receiver asks for.
const USELESS: TimeDelta = TimeDelta::hours(48);

/// The longest duration of a delivery.
pub const DEADLINE: Duration = outgoing::DEADLINE;

/// Delivers notifications.
#[derive(Debug, Clone)]
pub struct Courier {
    outgoing: Outgoing,
    /// The end of the last pause that the receiver of a notifier asked for. Another process is told by the receiver.
    rests: Arc<Mutex<BTreeMap<String, Timestamp>>>,
}

/// A failed attempt, and the wait that the receiver asked for.
struct Failure {
    error: String,
    asked: Option<TimeDelta>,
}

impl From<String> for Failure {
    fn from(error: String) -> Self {
        Self { error, asked: None }
    }
}

impl Courier {
    pub fn new(outgoing: Outgoing) -> Self {
        Self { outgoing, rests: Arc::default() }
    }

    /// Makes one attempt. A failed one may have reached the receiver, which recognizes a repetition by its id.
    pub async fn deliver(&self, notice: &Notification, now: Timestamp) -> Delivery {
        let rest = self.rests().get(&notice.notifier).copied();
        let failure = match rest.filter(|end| *end > now) {
            Some(end) => Failure { error: "the receiver asked for a pause".to_owned(), asked: Some(end - now) },
            None => match self.attempt(notice, now).await {
                Ok(()) => return Delivery::Done,
                Err(failure) => failure,
            },
        };
        let rest = failure.asked.map(|asked| now + asked).or(rest);
        if let Some(end) = rest {
            self.rests().insert(notice.notifier.clone(), end);
        }
        after(failure.error, notice, rest, now)
    }

    async fn attempt(&self, notice: &Notification, now: Timestamp) -> Result<(), Failure> {
        let spec = &notice.spec;
        let url = secret::read(&spec.url).await?;
        let body = match spec.kind {
            NotifierType::Webhook => form::webhook(notice),
            NotifierType::Slack => form::slack(notice),
        };
        let mut headers = vec![("relance-id", notice.uid.clone())];
        if let Some(key) = &spec.secret {
            let timestamp = now.timestamp();
            headers.push(("relance-timestamp", timestamp.to_string()));
            headers.push(("relance-signature", sign::signature(&secret::read(key).await?, timestamp, &body)));
        }
        let call = Call::json(&url, &headers, &body, DEADLINE);
        let reply = self.outgoing.exchange(&call).await.map_err(|silence| silence.to_string())?;
        if (200..300).contains(&reply.status) {
            return Ok(());
        }
        Err(Failure { error: format!("answered {}", reply.status_line()), asked: retry_after(&reply, Some(now)) })
    }

    fn rests(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Timestamp>> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the next attempt after a failed one, or gives up. The receiver asked for no attempt before `rest`.
fn after(error: String, notice: &Notification, rest: Option<Timestamp>, now: Timestamp) -> Delivery {
    let created_at = notice.created_at;
    let doublings = u32::try_from(notice.attempts.clamp(1, 20) - 1).unwrap_or_default();
    let pause = (FIRST_PAUSE * 2_i32.pow(doublings)).min(LONGEST_PAUSE);
    let rest = rest.unwrap_or(created_at);
    let at = rest.max(now + pause);
    let end = (rest.max(created_at) + GIVE_UP).min(created_at + USELESS);
    if at >= end { Delivery::GivenUp { error } } else { Delivery::Again { error, at } }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::form::tests::notice;
    use super::{Delivery, after};
    use crate::core::lifecycle::notification::Notification;

    /// Returns the pauses after each attempt until the notification is given up. The receiver asks for `waits`, one
    /// after the other.
    fn pauses(waits: &[TimeDelta]) -> Vec<TimeDelta> {
        let (mut notice, mut rest, mut pauses) = (Notification { attempts: 0, ..notice() }, None, Vec::new());
        let (mut now, mut waits) = (notice.created_at, waits.iter());
        loop {
            notice.attempts += 1;
            rest = waits.next().map(|wait| now + *wait).or(rest);
            match after("away".to_owned(), &notice, rest, now) {
                Delivery::Again { at, .. } => pauses.push(at - std::mem::replace(&mut now, at)),
                Delivery::GivenUp { .. } => return pauses,
                Delivery::Done => panic!(),
            }
        }
    }

    #[test]
    fn retries_back_off_and_end_after_a_day() {
        let pauses = pauses(&[]);
        let seconds: Vec<i64> = pauses.iter().map(TimeDelta::num_seconds).collect();
        assert_eq!(seconds[..10], [10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600]);
        let all: TimeDelta = pauses.iter().sum();
        assert!(all > TimeDelta::hours(23) && all < TimeDelta::hours(24), "{all}");
        assert_eq!(pauses.len(), 31);
    }

    #[test]
    fn a_requested_wait_delays_the_retries_and_their_deadline() {
        for hours in [1, 5, 20, 24] {
            let wait = TimeDelta::hours(hours);
            let pauses = pauses(&[wait]);
            let after: TimeDelta = pauses[1..].iter().sum();
            assert_eq!(pauses[0], wait);
            assert!(after > TimeDelta::hours(22) && after < TimeDelta::hours(24), "{hours} h: {after}");
        }
        // A wait that is shorter than our own pause changes nothing.
        assert_eq!(pauses(&[TimeDelta::seconds(1)])[0], TimeDelta::seconds(10));
        // A receiver that always asks for more ends it after two days.
        assert_eq!(pauses(&[TimeDelta::hours(24); 9]), [TimeDelta::hours(24)]);
        assert_eq!(pauses(&[TimeDelta::hours(10); 9]), [TimeDelta::hours(10); 4]);
    }
}
