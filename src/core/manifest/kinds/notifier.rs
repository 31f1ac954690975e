//! The schema of `kind: Notifier`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::domain::Period;
use crate::core::manifest::desired::{Notifier, NotifierType, Secret, Topic};
use crate::core::manifest::syntax::document::Document;

/// A notifier: it informs people of events and never changes what the daemon does.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::core::manifest) struct NotifierSpec {
    /// The format of notifications.
    #[serde(rename = "type")]
    pub(in crate::core::manifest) kind: NotifierType,
    /// The URL that receives notifications. It is a secret, since it grants the right to post.
    pub(in crate::core::manifest) url: Secret,
    /// The key that signs webhooks; without it, notifications are not signed.
    pub(in crate::core::manifest) secret: Option<Secret>,
    /// The events to report; by default those that need a person's attention.
    #[schemars(length(min = 1))]
    pub(in crate::core::manifest) events: Option<Vec<Topic>>,
    /// The time over which repeated events are counted before they are reported again; 10m by default.
    pub(in crate::core::manifest) fold_for: Option<Period>,
}

impl NotifierSpec {
    pub(in crate::core::manifest) fn check(&self, document: &Document<'_>, found: &mut Vec<Diagnostic>) {
        if self.kind == NotifierType::Slack && self.secret.is_some() {
            let place = document.key_place("/spec/secret");
            let message = "`secret` means nothing to `slack`, where nothing is signed".to_owned();
            found.push(
                Diagnostic::new(Code::UnknownKey, place, message)
                    .help("remove it; everybody who knows the `url` can write there"),
            );
        }
    }

    pub(in crate::core::manifest) fn resolve(&self) -> Notifier {
        let events = self.events.as_deref().unwrap_or(&Topic::DEFAULT);
        Notifier {
            kind: self.kind,
            url: self.url.clone(),
            secret: self.secret.clone(),
            events: events.iter().copied().collect(),
            fold_for: self.fold_for.unwrap_or(Period::minutes(10)),
        }
    }
}
