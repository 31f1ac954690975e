//! `kind: Notifier`: who is told what, and where.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::Secret;
use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::domain::Period;
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

/// The form in which it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NotifierType {
    /// JSON for programs, signed.
    Webhook,
    /// An incoming webhook of Slack, or of what understands the same.
    Slack,
}

/// What can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    RunStarted,
    RunPaused,
    RunResumed,
    RunCompleted,
    RunCancelled,
    PlanRefused,
    PlanApproved,
    RevisionApplied,
    ManifestFrozen,
    ManifestThawed,
    OverrideSet,
    OverrideCleared,
    OverrideExpired,
    Import,
    NearOptOut,
    OptOutRate,
}

impl Topic {
    /// What a person should know who did not say what they want to.
    const DEFAULT: [Self; 10] = [
        Self::RunStarted,
        Self::RunPaused,
        Self::RunCompleted,
        Self::RunCancelled,
        Self::PlanRefused,
        Self::RevisionApplied,
        Self::ManifestFrozen,
        Self::ManifestThawed,
        Self::NearOptOut,
        Self::OptOutRate,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RunStarted => "run-started",
            Self::RunPaused => "run-paused",
            Self::RunResumed => "run-resumed",
            Self::RunCompleted => "run-completed",
            Self::RunCancelled => "run-cancelled",
            Self::PlanRefused => "plan-refused",
            Self::PlanApproved => "plan-approved",
            Self::RevisionApplied => "revision-applied",
            Self::ManifestFrozen => "manifest-frozen",
            Self::ManifestThawed => "manifest-thawed",
            Self::OverrideSet => "override-set",
            Self::OverrideCleared => "override-cleared",
            Self::OverrideExpired => "override-expired",
            Self::Import => "import",
            Self::NearOptOut => "near-opt-out",
            Self::OptOutRate => "opt-out-rate",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A notifier in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notifier {
    #[serde(rename = "type")]
    pub kind: NotifierType,
    pub url: Secret,
    pub secret: Option<Secret>,
    pub events: BTreeSet<Topic>,
    pub fold_for: Period,
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
