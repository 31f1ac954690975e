//! Errors in the format of the Graph API.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiError {
    pub code: i64,
    #[serde(default = "bad_request")]
    pub status: u16,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub details: String,
    /// The `Retry-After` header, in seconds.
    #[serde(default)]
    pub retry_after: Option<u64>,
    /// The time to regain access in the `X-Business-Use-Case-Usage` header, in minutes.
    #[serde(default)]
    pub regain_after: Option<u64>,
}

fn bad_request() -> u16 {
    400
}

impl ApiError {
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        let status = match code {
            190 | 0 => 401,
            4 | 80_007 | 130_429 => 429,
            _ => bad_request(),
        };
        let message = message.into();
        Self { code, status, message, details: String::new(), retry_after: None, regain_after: None }
    }

    pub(super) fn json(&self) -> Value {
        json!({"error": {
            "message": format!("(#{}) {}", self.code, self.message),
            "type": "OAuthException",
            "code": self.code,
            "error_data": {"messaging_product": "whatsapp", "details": self.details},
            "fbtrace_id": "AStandInForTheGraph",
        }})
    }

    /// Returns the headers of the answer.
    pub(super) fn headers(&self) -> Vec<(&'static str, String)> {
        let usage = self.regain_after.map(|minutes| {
            json!({"102290129340398": [{"type": "whatsapp", "call_count": 100, "total_cputime": 9, "total_time": 9,
                "estimated_time_to_regain_access": minutes}]})
            .to_string()
        });
        let after = self.retry_after.map(|seconds| ("retry-after", seconds.to_string()));
        after.into_iter().chain(usage.map(|usage| ("x-business-use-case-usage", usage))).collect()
    }
}
