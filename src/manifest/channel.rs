//! `kind: Channel` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::desired::Channel;
use crate::domain::Period;

/// How messages leave.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelSpec {
    /// `sandbox` keeps messages in Postgres and sends nothing.
    #[serde(rename = "type")]
    pub(super) kind: ChannelType,
    /// How long a hand-over takes; 0s when left out.
    pub(super) latency: Option<Period>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ChannelType {
    Sandbox,
}

impl ChannelSpec {
    pub(super) fn resolve(&self) -> Channel {
        match self.kind {
            ChannelType::Sandbox => Channel::Sandbox { latency: self.latency.unwrap_or(Period::ZERO) },
        }
    }
}
