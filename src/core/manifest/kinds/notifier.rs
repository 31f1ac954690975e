//! `kind: Notifier`: who is told what, and where.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::domain::Period;
use crate::core::manifest::desired::{Notifier, NotifierType, Secret, Topic};
use crate::core::manifest::syntax::document::Document;

/// Tells people what happened. It never changes what happens.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::core::manifest) struct NotifierSpec {
    #[serde(rename = "type")]
    pub(in crate::core::manifest) kind: NotifierType,
    /// Where to: whoever knows it can write there, so it is a secret.
    pub(in crate::core::manifest) url: Secret,
    /// Signs what a webhook gets; nothing is signed when left out.
    pub(in crate::core::manifest) secret: Option<Secret>,
    /// What to tell of; what a person should know when left out.
    #[schemars(length(min = 1))]
    pub(in crate::core::manifest) events: Option<Vec<Topic>>,
    /// For how long the same thing is counted before it is told again; 10m when left out.
    pub(in crate::core::manifest) fold_for: Option<Period>,
}

impl NotifierSpec {
    pub(in crate::core::manifest) fn check(&self, document: &Document<'_>, found: &mut Vec<Diagnostic>) {
        if self.kind == NotifierType::Slack && self.secret.is_some() {
            let place = document.key_place("/spec/secret");
            let message = "`secret` means nothing to `slack`, where nothing is signed".to_owned();
            found.push(
                Diagnostic::new(Code::UnknownKey, place, message)
                    .help("remove it; whoever knows the `url` can write there"),
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
