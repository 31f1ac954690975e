//! The types of problems: the slug, the status, the title, and the next step of a caller.

use axum::http::StatusCode;

/// The type of a problem. Its slug is stable: programs decide by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    BadRequest,
    CursorMismatch,
    Unauthorized,
    RoleTooLow,
    AccountScope,
    NotFound,
    MethodNotAllowed,
    TooSlow,
    CampaignPhase,
    CampaignOver,
    PlanNotWaiting,
    MessageState,
    KeyInUse,
    KeyReused,
    BodyTooLarge,
    UnsupportedMediaType,
    UnknownHost,
    InvalidParameter,
    InvalidBody,
    TooManyRequests,
    Busy,
    Internal,
}

/// The description of a type.
#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) slug: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    /// The next step of a caller.
    pub(crate) help: &'static str,
}

impl Kind {
    pub(crate) const ALL: [Self; 22] = [
        Self::BadRequest,
        Self::CursorMismatch,
        Self::Unauthorized,
        Self::RoleTooLow,
        Self::AccountScope,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::TooSlow,
        Self::CampaignPhase,
        Self::CampaignOver,
        Self::PlanNotWaiting,
        Self::MessageState,
        Self::KeyInUse,
        Self::KeyReused,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::UnknownHost,
        Self::InvalidParameter,
        Self::InvalidBody,
        Self::TooManyRequests,
        Self::Busy,
        Self::Internal,
    ];

    pub(crate) fn find(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.description().slug == slug)
    }

    /// Returns the type for a refusal that the router or an extractor made.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::REQUEST_TIMEOUT => Self::TooSlow,
            StatusCode::PAYLOAD_TOO_LARGE => Self::BodyTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::UNPROCESSABLE_ENTITY => Self::InvalidBody,
            StatusCode::SERVICE_UNAVAILABLE => Self::Busy,
            status if status.is_client_error() => Self::BadRequest,
            _ => Self::Internal,
        }
    }

    #[expect(clippy::too_many_lines, reason = "a table, one entry for each type")]
    pub(crate) fn description(self) -> Description {
        let of = |slug, status, title, help| Description { slug, status, title, help };
        match self {
            Self::BadRequest => of(
                "bad-request",
                StatusCode::BAD_REQUEST,
                "The request cannot be read",
                "Correct the syntax of the request that `detail` names.",
            ),
            Self::CursorMismatch => of(
                "cursor-mismatch",
                StatusCode::BAD_REQUEST,
                "The cursor belongs to another list",
                "A cursor continues the list that returned it, with the same path and filters. Begin without one.",
            ),
            Self::Unauthorized => of(
                "unauthorized",
                StatusCode::UNAUTHORIZED,
                "No valid token was presented",
                "Send `Authorization: Bearer TOKEN`. `relancectl token list` shows if a token was revoked or expired.",
            ),
            Self::RoleTooLow => of(
                "role-too-low",
                StatusCode::FORBIDDEN,
                "The role of the token does not allow this",
                "Use a token with the role that `detail` names.",
            ),
            Self::AccountScope => of(
                "account-scope",
                StatusCode::FORBIDDEN,
                "A token of one account cannot do this",
                "The resource concerns every account. Use a token that was created without `--account`.",
            ),
            Self::NotFound => of(
                "not-found",
                StatusCode::NOT_FOUND,
                "There is no such resource",
                "Check the path and the names in it. A resource that the token may not see does not exist for it.",
            ),
            Self::MethodNotAllowed => of(
                "method-not-allowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "The resource does not have this method",
                "Use a method of the header `Allow`.",
            ),
            Self::TooSlow => of(
                "too-slow",
                StatusCode::REQUEST_TIMEOUT,
                "The request did not arrive in time",
                "Send the request again.",
            ),
            Self::CampaignPhase => of(
                "campaign-phase",
                StatusCode::CONFLICT,
                "The phase of the campaign does not allow this order",
                "`detail` names the phase and the orders that it allows.",
            ),
            Self::CampaignOver => of(
                "campaign-over",
                StatusCode::CONFLICT,
                "The manifest of the campaign is gone",
                "Put the manifest back to begin the campaign again.",
            ),
            Self::PlanNotWaiting => of(
                "plan-not-waiting",
                StatusCode::CONFLICT,
                "The plan does not wait for an approval",
                "`relancectl plan` shows the plan that waits, if there is one.",
            ),
            Self::MessageState => of(
                "message-state",
                StatusCode::CONFLICT,
                "A message has an outcome already",
                "Only uncertain messages can be resolved. `GET /api/relance/messages?state=uncertain` lists them.",
            ),
            Self::KeyInUse => of(
                "idempotency-key-in-use",
                StatusCode::CONFLICT,
                "The same request is still running",
                "Send it again after a few seconds, with the same key.",
            ),
            Self::KeyReused => of(
                "idempotency-key-reused",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The key belongs to another request",
                "Use a new key for each request, and the same key only to repeat it.",
            ),
            Self::BodyTooLarge => {
                of("body-too-large", StatusCode::PAYLOAD_TOO_LARGE, "The body is too large", "Send a smaller body.")
            }
            Self::UnsupportedMediaType => of(
                "unsupported-media-type",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The type of the body is not supported",
                "Send JSON with `Content-Type: application/json`, without a content encoding.",
            ),
            Self::UnknownHost => of(
                "unknown-host",
                StatusCode::MISDIRECTED_REQUEST,
                "The host of the request is not this server",
                "Use the host of `--public-url`, or a loopback name. This check stops DNS rebinding.",
            ),
            Self::InvalidParameter => of(
                "invalid-parameter",
                StatusCode::UNPROCESSABLE_ENTITY,
                "A parameter has an invalid value",
                "`errors` names the parameter and the values that it takes.",
            ),
            Self::InvalidBody => of(
                "invalid-body",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The body has an invalid value",
                "`errors` names the place and the values that it takes.",
            ),
            Self::TooManyRequests => of(
                "too-many-requests",
                StatusCode::TOO_MANY_REQUESTS,
                "Too many requests",
                "Wait for the seconds of the header `Retry-After`.",
            ),
            Self::Busy => of(
                "busy",
                StatusCode::SERVICE_UNAVAILABLE,
                "The server cannot answer now",
                "Send the same request again after the seconds of the header `Retry-After`.",
            ),
            Self::Internal => of(
                "internal",
                StatusCode::INTERNAL_SERVER_ERROR,
                "The server made a mistake",
                "Report it with the value of `instance`, by which the log of the server knows the request.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Kind;

    #[test]
    fn a_slug_stands_for_one_type() {
        let slugs: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.description().slug).collect();
        assert_eq!(slugs.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert_eq!(Kind::find(kind.description().slug), Some(kind));
            assert!(kind.description().status.is_client_error() || kind.description().status.is_server_error());
        }
        assert_eq!(Kind::find("other"), None);
    }
}
