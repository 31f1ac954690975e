//! `kind: Defaults` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::campaign::LimitsSpec;
use super::safety::SafetySpec;
use super::schedule::ScheduleSpec;
use crate::core::domain::{Name, Period};
use crate::core::manifest::desired::policy::AccountPolicy;
use crate::core::manifest::desired::{ConsentPolicy, Pacing, Wave};

/// What holds wherever a campaign says nothing. One per tree.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct DefaultsSpec {
    /// Minimum age of a registration before the default campaign takes it; 1h when left out.
    pub(in crate::core::manifest) enroll_after: Option<Period>,
    /// `messagesPerDay` is the cap of each account over all its campaigns; the others are what a campaign gets
    /// that has no such limit of its own.
    pub(in crate::core::manifest) limits: Option<LimitsSpec>,
    /// Whether the default campaign goes on while a filtered one is active for the same account; false when left out.
    pub(in crate::core::manifest) allow_simultaneous_campaigns: Option<bool>,
    /// How each account spaces its messages.
    pub(in crate::core::manifest) pacing: Option<PacingSpec>,
    /// When an account is stopped for its own good.
    pub(in crate::core::manifest) safety: Option<SafetySpec>,
    /// What schedules leave out.
    pub(in crate::core::manifest) schedule: Option<ScheduleSpec>,
    /// `required`: only people who agreed. `legacy`: also people of whom nothing is known.
    pub(in crate::core::manifest) consent: Option<ConsentPolicy>,
    /// The name of the `Sequence` of campaigns that have none.
    pub(in crate::core::manifest) sequence_ref: Option<Name>,
    /// The name of the `Channel` of campaigns and accounts that have none.
    pub(in crate::core::manifest) channel_ref: Option<Name>,
}

/// The distance between two messages of one account.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::core::manifest) struct PacingSpec {
    /// 2m when left out; `0s` turns pacing off.
    pub(in crate::core::manifest) every: Option<Period>,
    /// Up to this much is added at random; 30s when left out.
    pub(in crate::core::manifest) jitter: Option<Period>,
    /// One after the other, then the first again; `every` for ever when left out.
    pub(in crate::core::manifest) waves: Option<Vec<WaveSpec>>,
}

/// Some messages, then a pause.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct WaveSpec {
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    pub(in crate::core::manifest) messages: u32,
    pub(in crate::core::manifest) every: Period,
    pub(in crate::core::manifest) pause_after: Period,
}

impl DefaultsSpec {
    pub(in crate::core::manifest) fn policy(&self) -> AccountPolicy {
        AccountPolicy {
            messages_per_day: self.limits.and_then(|limits| limits.messages_per_day),
            pacing: self.pacing.as_ref().map(PacingSpec::resolve).unwrap_or_default(),
            allow_simultaneous_campaigns: self.allow_simultaneous_campaigns.unwrap_or(false),
            safety: self.safety.map(SafetySpec::resolve).unwrap_or_default(),
            channel: self.channel_ref.clone(),
            ..AccountPolicy::default()
        }
    }
}

impl PacingSpec {
    pub(in crate::core::manifest) fn resolve(&self) -> Pacing {
        let usual = Pacing::default();
        let every = self.every.unwrap_or(usual.every);
        // Without pacing there is nothing to vary, unless the file says so.
        let jitter = if every.is_zero() { Period::ZERO } else { usual.jitter };
        let waves = self.waves.iter().flatten();
        Pacing {
            every,
            jitter: self.jitter.unwrap_or(jitter),
            waves: waves.map(|w| Wave { messages: w.messages, every: w.every, pause_after: w.pause_after }).collect(),
        }
    }
}
