//! Notifiers in force.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::Secret;
use crate::core::domain::Period;

/// The format of notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NotifierType {
    /// Signed JSON for programs.
    Webhook,
    /// An incoming webhook of Slack, or of a service with the same format.
    Slack,
}

/// An event that a notifier can report.
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
    /// The events reported when a manifest lists none: those that need a person's attention.
    pub(in crate::core::manifest) const DEFAULT: [Self; 10] = [
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
