//! One notification tick: creates notifications of recent events, delivers the due ones and saves their deliveries.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;

use crate::channel::notify::{Courier, DEADLINE};
use crate::core::domain::Timestamp;
use crate::core::lifecycle::notification::{Delivery, Notification};
use crate::store;
use crate::store::{Speed, Store};

/// The lease of claimed notifications, in real time.
const LEASE: Duration = Duration::from_mins(1);
const _: () = assert!(DEADLINE.as_secs() * 3 < LEASE.as_secs());

/// The last error logged for each notifier that cannot be reached; the same error is not logged again.
#[derive(Debug, Default)]
pub struct Reported(BTreeMap<String, String>);

/// Delivers the notifications due at `now`. Returns the number of attempts.
///
/// If the process dies in the middle, another delivers the notifications once the lease expires. A notification may
/// then arrive twice, under one id.
pub async fn deliver(
    store: &Store,
    courier: &Courier,
    reported: &mut Reported,
    (now, speed): (Timestamp, Speed),
) -> Result<usize, store::Error> {
    store.collect_notifications(now).await?;
    let lease = TimeDelta::from_std(LEASE.mul_f64(speed.0.max(1.0))).unwrap_or(TimeDelta::MAX);
    let notices = store.claim_notifications(now, now + lease).await?;
    if notices.is_empty() {
        return Ok(0);
    }
    let deliver = async |notice: Notification| {
        let delivery = courier.deliver(&notice, now).await;
        (notice, delivery)
    };
    let settled: Vec<(Notification, Delivery)> = join_all(notices.into_iter().map(deliver)).await;
    store.settle_notifications(&settled, now).await?;
    for (notice, delivery) in &settled {
        reported.note(notice, delivery);
    }
    Ok(settled.len())
}

impl Reported {
    fn note(&mut self, notice: &Notification, delivery: &Delivery) {
        let name = &notice.notifier;
        match delivery {
            Delivery::Done => {
                if self.0.remove(name).is_some() {
                    tracing::info!(notifier.name = name, "notifications arrive again");
                }
            }
            Delivery::Again { error, .. } => {
                if self.0.insert(name.clone(), error.clone()).as_ref() != Some(error) {
                    tracing::warn!(notifier.name = name, "cannot notify; trying again for a day: {error}");
                }
            }
            Delivery::GivenUp { error } => {
                tracing::error!(notifier.name = name, topic = %notice.topic, "gave up a notification: {error}");
            }
        }
    }
}
