//! Values that only tests have: instants, outcomes of hand-overs, and the kinds that a test may change.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::core::domain::{Moment, Timestamp};
use crate::core::manifest::kind::Kind;

/// A point in time that needs no zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Instant(pub Timestamp);

impl Instant {
    /// Reads RFC 3339.
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

/// How a hand-over ends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum FaultOutcome {
    Accepted,
    /// With the provider's code, which says what follows.
    Rejected(String),
    Timeout,
    Throttled,
    CrashBeforeOutcome,
}

impl FaultOutcome {
    /// Reads `accepted`, `rejected:131026`, `timeout` …
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

/// Kinds that a test may change: all but itself.
pub(super) fn kinds(_: &mut SchemaGenerator) -> Schema {
    let kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::CampaignTest);
    json_schema!({"type": "string", "enum": kinds.map(Kind::as_str).collect::<Vec<_>>()})
}
