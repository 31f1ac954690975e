//! Delivery of notifications: the body in the receiver's format, the signature, and the retry after a failure.

mod form;
mod sign;

use std::time::Duration;

use chrono::TimeDelta;

use crate::channel::outgoing;
use crate::channel::outgoing::Outgoing;
use crate::channel::secret;
use crate::core::domain::Timestamp;
use crate::core::lifecycle::notification::{Delivery, Notification};
use crate::core::manifest::desired::NotifierType;

/// The pause after the first failed attempt; each later pause is twice as long as the one before.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(10);
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(1);
/// The age at which a notification is no longer of use and is given up.
const GIVE_UP: TimeDelta = TimeDelta::hours(24);

/// The longest duration of a delivery.
pub const DEADLINE: Duration = outgoing::DEADLINE;

/// Delivers notifications.
#[derive(Debug, Clone)]
pub struct Courier {
    outgoing: Outgoing,
}

impl Courier {
    pub fn new(outgoing: Outgoing) -> Self {
        Self { outgoing }
    }

    /// Makes one attempt. A failed one may have reached the receiver, which recognizes a repetition by its id.
    pub async fn deliver(&self, notice: &Notification, now: Timestamp) -> Delivery {
        match self.attempt(notice, now).await {
            Ok(()) => Delivery::Done,
            Err(error) => after(error, notice.attempts, notice.created_at, now),
        }
    }

    async fn attempt(&self, notice: &Notification, now: Timestamp) -> Result<(), String> {
        let spec = &notice.spec;
        let url = secret::read(&spec.url)?;
        let body = match spec.kind {
            NotifierType::Webhook => form::webhook(notice),
            NotifierType::Slack => form::slack(notice),
        };
        let mut headers = vec![("relance-id", notice.uid.clone())];
        if let Some(key) = &spec.secret {
            let timestamp = now.timestamp();
            headers.push(("relance-timestamp", timestamp.to_string()));
            headers.push(("relance-signature", sign::signature(&secret::read(key)?, timestamp, &body)));
        }
        let answer = self.outgoing.post_json(&url, &headers, body).await.map_err(|error| error.to_string())?;
        if answer.is_success() { Ok(()) } else { Err(format!("answered {answer}")) }
    }
}

/// Returns the next attempt after a failed one, or gives up.
fn after(error: String, attempts: i32, created_at: Timestamp, now: Timestamp) -> Delivery {
    let doublings = u32::try_from(attempts.clamp(1, 20) - 1).unwrap_or_default();
    let pause = (FIRST_PAUSE * 2_i32.pow(doublings)).min(LONGEST_PAUSE);
    let at = now + pause;
    if at >= created_at + GIVE_UP { Delivery::GivenUp { error } } else { Delivery::Again { error, at } }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::{Delivery, after};
    use crate::core::domain::Timestamp;

    #[test]
    fn attempts_become_rarer_and_end_after_a_day() {
        let created: Timestamp = "2026-11-30T08:00:00Z".parse().unwrap();
        let (mut now, mut attempts, mut pauses) = (created, 0, Vec::new());
        loop {
            attempts += 1;
            match after("away".to_owned(), attempts, created, now) {
                Delivery::Again { at, .. } => pauses.push((std::mem::replace(&mut now, at) - at).num_seconds().abs()),
                Delivery::GivenUp { .. } => break,
                Delivery::Done => panic!(),
            }
        }
        assert_eq!(pauses[..10], [10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600]);
        assert!(now - created > TimeDelta::hours(23) && now - created < TimeDelta::hours(24), "{now}");
        assert_eq!(attempts, 32);
    }
}
