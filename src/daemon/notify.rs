//! One tick of telling people: make notices of what happened, deliver what is due, save what became of it.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;

use crate::channel::notify::{Courier, DEADLINE};
use crate::core::domain::Timestamp;
use crate::core::lifecycle::notification::{Delivery, Notification};
use crate::store;
use crate::store::{Speed, Store};

/// How long what is handed out is ours, in real time.
const LEASE: Duration = Duration::from_mins(1);
const _: () = assert!(DEADLINE.as_secs() * 3 < LEASE.as_secs());

/// What was last said of notifiers that cannot be reached: the same is not said again.
#[derive(Debug, Default)]
pub struct Told(BTreeMap<String, String>);

/// Tells what is due at `now`. Returns how many attempts were made. Who dies in the middle leaves notices to others, after
/// a while: they may come twice, with one id.
pub async fn deliver(
    store: &Store,
    courier: &Courier,
    told: &mut Told,
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
        told.note(notice, delivery);
    }
    Ok(settled.len())
}

impl Told {
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
