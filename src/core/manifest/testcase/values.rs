//! Values that only tests use: instants, results of sends, and the kinds that a test may change.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::core::domain::{Moment, Timestamp};
use crate::core::manifest::kind::Kind;

/// An absolute point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Instant(pub Timestamp);

impl Instant {
    /// Parses an RFC 3339 time with offset.
    pub(in crate::core::manifest) fn parse(text: &str) -> Result<Self, String> {
        match Moment::parse(text)? {
            Moment::Absolute(instant) => Ok(Self(instant)),
            Moment::Wall(_) => {
                Err(format!("`{text}` does not say its offset from UTC: write `2026-12-01T08:00:00+01:00`"))
            }
        }
    }
}

impl TryFrom<String> for Instant {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl JsonSchema for Instant {
    fn schema_name() -> Cow<'static, str> {
        "Instant".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "relance-instant", "examples": ["2026-12-01T08:00:00+01:00"]})
    }
}

/// The result of a send.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum FaultOutcome {
    Accepted,
    /// The provider's error code, which decides what follows.
    Rejected(String),
    Timeout,
    Throttled,
    CrashBeforeOutcome,
}

impl FaultOutcome {
    /// Parses `accepted`, `rejected:131026`, `timeout` …
    pub(in crate::core::manifest) fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "accepted" => Self::Accepted,
            "timeout" => Self::Timeout,
            "throttled" => Self::Throttled,
            "crash-before-outcome" => Self::CrashBeforeOutcome,
            _ => match text.strip_prefix("rejected:").map(str::trim).filter(|code| !code.is_empty()) {
                Some(code) => Self::Rejected(code.to_owned()),
                None => {
                    return Err(format!(
                        "`{text}` is no outcome: use `accepted`, `rejected:<code>`, `timeout`, `throttled` or `crash-before-outcome`"
                    ));
                }
            },
        })
    }
}

impl TryFrom<String> for FaultOutcome {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl JsonSchema for FaultOutcome {
    fn schema_name() -> Cow<'static, str> {
        "Outcome".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "relance-outcome", "examples": ["timeout", "rejected:131026"]})
    }
}

/// Returns the schema of the kinds that a test may change: all except `CampaignTest`.
pub(super) fn kinds(_: &mut SchemaGenerator) -> Schema {
    let kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::CampaignTest);
    json_schema!({"type": "string", "enum": kinds.map(Kind::as_str).collect::<Vec<_>>()})
}
