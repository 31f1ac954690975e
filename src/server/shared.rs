//! The state that all requests share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::api::Api;
use super::refusals::Refusals;
use super::room::Room;
use super::webhook_channels::WebhookChannels;
use crate::store::Store;

/// The interval between two checks for changed manifests and repeated refusals.
const PERIOD: Duration = Duration::from_secs(1);

/// The state that all requests share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) store: Store,
    /// Signals that a webhook was stored.
    pub(super) posted: Arc<Notify>,
    pub(super) webhook_channels: WebhookChannels,
    pub(super) refusals: Refusals,
    pub(super) room: Room,
}

impl Shared {
    /// Refreshes the webhook channels, logs repeated refusals and forgets quiet clients until `stop` is cancelled.
    pub(super) async fn look_around(&self, api: Option<&Api>, stop: &CancellationToken) {
        let mut failed = false;
        while stop.run_until_cancelled(tokio::time::sleep(PERIOD)).await.is_some() {
            self.refusals.tell_folded(Instant::now());
            if let Some(api) = api {
                api.forget();
            }
            let refreshed = self.webhook_channels.refresh(&self.store).await;
            if let Err(error) = &refreshed
                && !failed
            {
                let error: &dyn std::error::Error = error;
                tracing::warn!(error, "cannot see whether channels changed; going by those that were in force");
            }
            failed = refreshed.is_err();
        }
    }
}
