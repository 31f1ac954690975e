//! The outermost layer of the API: the host, the id and the time of a request, and the form of refusals.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderName};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;

use super::state::Api;
use crate::server::problem::{Kind, MEDIA_TYPE, Problem};

/// The longest time of an answer. It is shorter than that of a connection, which would end without a problem.
const LONGEST: Duration = Duration::from_secs(15);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Runs a request and finishes its answer.
pub(super) async fn finish(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let id = format!("{:016x}", getrandom::u64().unwrap_or_default());
    let method = request.method().clone();
    // The path itself may name a person.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let response = if is_ours(&api, &request) {
        tokio::time::timeout(LONGEST, next.run(request)).await.unwrap_or_else(|_| problem(Problem::of(Kind::Busy)))
    } else {
        problem(Problem::of(Kind::UnknownHost))
    };
    let mut response = as_problem(response, &id, &method, route.as_deref());
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

fn is_ours(api: &Api, request: &Request) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    hosts.next().is_none() && host.is_some_and(|host| api.exposure.is_ours(host))
}

fn problem(problem: Problem) -> Response {
    axum::response::IntoResponse::into_response(problem)
}

/// Gives a refusal the form of a problem, also one that the router or an extractor made.
fn as_problem(mut response: Response, id: &str, method: &Method, route: Option<&str>) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let is_problem = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == MEDIA_TYPE);
    if is_problem {
        return response;
    }
    let told = response.extensions_mut().remove::<Problem>();
    let problem = told.unwrap_or_else(|| Problem::of(Kind::of_status(status)));
    if problem.status().is_server_error() {
        let cause = problem.cause().unwrap_or_default();
        tracing::warn!(request.id = id, request.method = %method, request.route = route, cause, "a request failed");
    }
    let mut rendered = problem.render(id);
    if let Some(allow) = response.headers_mut().remove(ALLOW) {
        rendered.headers_mut().insert(ALLOW, allow);
    }
    rendered
}
