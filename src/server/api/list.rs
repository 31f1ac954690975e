//! Lists: pages of at most 500 items, each with a cursor to the next.

use axum::Json;
use axum::extract::{FromRequestParts, OriginalUri, Query};
use axum::http::header::LINK;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cursor::{Identity, LONGEST};
use crate::server::access::Caller;
use crate::server::problem::Problem;

/// The number of items of a page.
pub(super) const USUAL: u16 = 50;
pub(super) const MOST: u16 = 500;

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub(super) struct List<T> {
    items: Vec<T>,
    /// The cursor of the next page; null on the last one.
    next: Option<String>,
}

/// The parameters of a list: its filters, `limit` and `cursor`. They serialize as the filters alone.
pub(super) trait ListQuery: Serialize {
    fn limit(&self) -> Option<u16>;
    fn cursor(&self) -> Option<&str>;
}

/// Defines the parameters of a list.
macro_rules! list_query {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, ::serde::Serialize, ::serde::Deserialize, ::schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$about])* #[serde(skip_serializing_if = "Option::is_none")] $field: Option<$type>,)*
            /// The maximum number of items [default: 50]
            #[serde(skip_serializing)]
            #[schemars(range(min = 1, max = 500))]
            limit: Option<u16>,
            /// The cursor that the page before returned as `next`
            #[serde(skip_serializing)]
            #[schemars(length(min = 1, max = 4096), regex(pattern = "^[A-Za-z0-9_-]+$"))]
            cursor: Option<String>,
        }

        impl $crate::server::api::list::ListQuery for $name {
            fn limit(&self) -> Option<u16> {
                self.limit
            }

            fn cursor(&self) -> Option<&str> {
                self.cursor.as_deref()
            }
        }

        impl ::utoipa::IntoParams for $name {
            fn into_params(_: impl Fn() -> Option<::utoipa::openapi::path::ParameterIn>)
            -> Vec<::utoipa::openapi::path::Parameter> {
                $crate::server::api::schema::parameters::<Self>()
            }
        }
    };
}
pub(super) use list_query;

/// The parameters of a request. An unknown one is refused: a misspelt filter would return everything.
#[derive(Debug)]
pub(super) struct Params<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(Problem::parameter("", "a parameter cannot have a zero byte"));
        }
        let query = Query::<T>::try_from_uri(&parts.uri).map_err(|rejection| {
            let text = rejection.body_text();
            let fault = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            match fault.split_once(": ") {
                Some((name, fault)) if !name.contains([' ', '`']) => Problem::parameter(name, fault),
                _ => Problem::parameter("", fault),
            }
        })?;
        Ok(Self(query.0))
    }
}

/// A page that was asked for.
#[derive(Debug)]
pub(super) struct Page<P> {
    identity: Identity,
    uri: Uri,
    limit: u16,
    /// The place after which it begins; `None` for the beginning of the list.
    pub(super) place: Option<P>,
}

impl<P: Serialize + DeserializeOwned> Page<P> {
    /// Reads the page that `query` asks for.
    pub(super) fn of(OriginalUri(uri): OriginalUri, query: &impl ListQuery, caller: &Caller) -> Result<Self, Problem> {
        let limit = query.limit().unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::parameter("limit", format!("{limit} is not between 1 and {MOST}")));
        }
        let identity = Identity::of(uri.path(), query, caller.scope_name());
        let cursor = query.cursor().map(|cursor| if cursor.len() > LONGEST { "" } else { cursor });
        let place = cursor.map(|cursor| identity.place(cursor)).transpose()?;
        Ok(Self { identity, uri, limit, place })
    }

    /// Returns the number of rows to read: one more than the page has, which tells if another page follows.
    pub(super) fn rows(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// Makes the answer of rows, each with its place.
    pub(super) fn answer<T: Serialize>(self, mut rows: Vec<(P, T)>) -> Response {
        let limit = usize::from(self.limit);
        let is_last = rows.len() <= limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| !is_last).map(|(place, _)| self.identity.cursor(place));
        let link = next.as_deref().and_then(|next| HeaderValue::try_from(self.link(next)).ok());
        let items: Vec<T> = rows.into_iter().map(|(_, item)| item).collect();
        let mut response = Json(List { items, next }).into_response();
        if let Some(link) = link {
            response.headers_mut().insert(LINK, link);
        }
        response
    }

    fn link(&self, next: &str) -> String {
        let others = self.uri.query().unwrap_or_default().split('&');
        let others = others.filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
        let own = format!("cursor={next}");
        let query: Vec<&str> = others.chain([&*own]).collect();
        format!("<{}?{}>; rel=\"next\"", self.uri.path(), query.join("&"))
    }
}
