//! The schema of `kind: Defaults`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::campaign::LimitsSpec;
use super::safety::SafetySpec;
use super::schedule::ScheduleSpec;
use crate::core::domain::{Name, Period};
use crate::core::manifest::desired::policy::AccountPolicy;
use crate::core::manifest::desired::{ConsentPolicy, Pacing, Wave};

/// Settings that apply wherever a campaign or account sets nothing else. A tree has one `Defaults` at most.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct DefaultsSpec {
    /// The minimum age of a registration before a default campaign enrolls the person; 1h by default.
    pub(in crate::core::manifest) enroll_after: Option<Period>,
    /// `messagesPerDay` limits each account over all its campaigns. The other limits apply to campaigns that do not
    /// set them.
    pub(in crate::core::manifest) limits: Option<LimitsSpec>,
    /// `true` lets the default campaign continue while a filtered campaign is active for the same account; false by
    /// default.
    pub(in crate::core::manifest) allow_simultaneous_campaigns: Option<bool>,
    /// The time between two messages of an account.
    pub(in crate::core::manifest) pacing: Option<PacingSpec>,
    /// The failure and opt-out rates that stop an account.
    pub(in crate::core::manifest) safety: Option<SafetySpec>,
    /// The values for keys that schedules leave out.
    pub(in crate::core::manifest) schedule: Option<ScheduleSpec>,
    /// `required` takes only people who agreed, and is the default. `legacy` also takes people whose consent is
    /// unknown.
    pub(in crate::core::manifest) consent: Option<ConsentPolicy>,
    /// The name of the `Sequence` for campaigns that set none.
    pub(in crate::core::manifest) sequence_ref: Option<Name>,
    /// The name of the `Channel` for campaigns and accounts that set none.
    pub(in crate::core::manifest) channel_ref: Option<Name>,
}

/// The time between two messages of one account.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::core::manifest) struct PacingSpec {
    /// The minimum time between two messages; 2m by default. `0s` turns pacing off.
    pub(in crate::core::manifest) every: Option<Period>,
    /// The maximum random time added to each interval; 30s by default.
    pub(in crate::core::manifest) jitter: Option<Period>,
    /// Waves of messages, repeated in order. Without waves, `every` applies throughout.
    pub(in crate::core::manifest) waves: Option<Vec<WaveSpec>>,
}

/// A number of messages, then a pause.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct WaveSpec {
    /// The number of messages in the wave.
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    pub(in crate::core::manifest) messages: u32,
    /// The time between two messages of the wave.
    pub(in crate::core::manifest) every: Period,
    /// The pause after the last message of the wave.
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
        // Without pacing there is no interval to vary, unless the file sets `jitter`.
        let jitter = if every.is_zero() { Period::ZERO } else { usual.jitter };
        let waves = self.waves.iter().flatten();
        Pacing {
            every,
            jitter: self.jitter.unwrap_or(jitter),
            waves: waves.map(|w| Wave { messages: w.messages, every: w.every, pause_after: w.pause_after }).collect(),
        }
    }
}
