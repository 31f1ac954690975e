//! The channels that receive webhooks, according to the manifests in force.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::core::manifest::desired::{Channel, Secret};
use crate::store;
use crate::store::Store;

/// The secrets of one channel's webhooks. Each is read when it is needed.
#[derive(Debug, Clone)]
pub(super) struct WebhookChannel {
    /// The key that signs the webhooks.
    pub(super) app_secret: Option<Secret>,
    /// The token that the provider presents to subscribe.
    pub(super) verify_token: Option<Secret>,
}

/// The webhook channels in force, by name.
#[derive(Debug, Default)]
pub(super) struct WebhookChannels(RwLock<Held>);

#[derive(Debug, Default)]
struct Held {
    /// The generation of the manifests that `by_name` comes from.
    generation: Option<i64>,
    by_name: BTreeMap<String, Arc<WebhookChannel>>,
}

impl WebhookChannels {
    pub(super) fn of(&self, channel: &str) -> Option<Arc<WebhookChannel>> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        held.by_name.get(channel).map(Arc::clone)
    }

    /// Reloads the channels if the generation in force has changed.
    pub(super) async fn refresh(&self, store: &Store) -> Result<(), store::Error> {
        let generation = store.generation().await?;
        if self.0.read().unwrap_or_else(PoisonError::into_inner).generation == Some(generation) {
            return Ok(());
        }
        let now = store.in_force().await?;
        let webhook_channels =
            now.desired.channels.iter().filter_map(|(name, channel)| Some((name.to_string(), door(channel)?)));
        let held = Held { generation: Some(now.generation), by_name: webhook_channels.collect() };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = held;
        Ok(())
    }
}

/// Returns `None` for channels that receive no webhooks.
fn door(channel: &Channel) -> Option<Arc<WebhookChannel>> {
    match channel {
        Channel::Sandbox { .. } | Channel::Http(_) | Channel::Smtp(_) => None,
        Channel::WhatsappCloud(spec) => Some(Arc::new(WebhookChannel {
            app_secret: spec.app_secret.clone(),
            verify_token: spec.verify_token.clone(),
        })),
    }
}
