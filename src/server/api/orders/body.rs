//! The bodies of orders.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::core::domain::Timestamp;
use crate::server::problem::Problem;

/// The length of the longest reason, in characters.
const LONGEST_REASON: usize = 1_000;
/// The most phones or messages of one request.
pub(super) const MOST: usize = 1_000;

/// An order for the runs of a campaign.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::server::api) struct OrderBody {
    /// The reason, which the log records.
    #[schemars(length(min = 1, max = 1000), regex(pattern = r"\S"))]
    pub(super) reason: String,
    /// Only for this account [default: every account that the token may see]
    #[serde(default)]
    pub(super) account: Option<String>,
    /// The end of the order, after which the manifest applies again [default: until it is cleared]
    #[serde(default)]
    pub(super) until: Option<Timestamp>,
}

/// The approval of a plan.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::server::api) struct ApprovalBody {
    /// The reason, which the log records.
    #[schemars(length(min = 1, max = 1000), regex(pattern = r"\S"))]
    pub(super) reason: String,
}

/// The suppression of phones.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::server::api) struct SuppressionBody {
    /// The phones, in international form.
    #[schemars(length(min = 1, max = 1000), inner(regex(pattern = r"[0-9]")))]
    pub(super) phones: Vec<String>,
    /// The reason, which the log records.
    #[schemars(length(min = 1, max = 1000), regex(pattern = r"\S"))]
    pub(super) reason: String,
    /// The country whose national numbers are accepted too, in ISO 3166-1 alpha-2.
    #[serde(default)]
    pub(super) country: Option<String>,
}

/// The outcome of uncertain messages.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::server::api) struct ResolutionBody {
    /// The ids of the messages, `campaign/account/referral/day`.
    #[schemars(length(min = 1, max = 1000))]
    pub(super) ids: Vec<String>,
    pub(super) outcome: Found,
    /// The evidence, which the log records.
    #[schemars(length(min = 1, max = 1000), regex(pattern = r"\S"))]
    pub(super) reason: String,
}

/// The real outcome of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Outcome")]
pub(in crate::server::api) enum Found {
    /// It left.
    Sent,
    /// It certainly did not leave.
    Failed,
}

/// Returns a reason without the spaces around it.
pub(super) fn reason(text: &str) -> Result<&str, Problem> {
    let reason = text.trim();
    if reason.is_empty() {
        return Err(Problem::body("/reason", "give a reason for the log"));
    }
    if reason.chars().count() > LONGEST_REASON {
        return Err(Problem::body("/reason", format!("a reason has at most {LONGEST_REASON} characters")));
    }
    Ok(reason)
}

/// Refuses an empty list, and one that is too long.
pub(super) fn bounded(pointer: &str, all: &[String]) -> Result<(), Problem> {
    if (1..=MOST).contains(&all.len()) { Ok(()) } else { Err(Problem::body(pointer, format!("give 1 to {MOST}"))) }
}
