//! The API under `/api/relance`, its description, and the descriptions of its problems.

mod body;
mod cursor;
mod document;
mod finish;
mod list;
mod orders;
mod read;
mod schema;
mod single;
mod state;

use std::future::ready;
use std::sync::Arc;

use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::Value;
use tower_http::compression::CompressionLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use self::state::Api;
use super::problem::{Kind, Problem};

/// The place of the resources.
const BASE: &str = "/api/relance";
const WHERE: &str = "The description of this API in OpenAPI 3.1 is at /api/openapi.json.
The guide is docs/src/guides/api.md in the repository of relance.
";

/// Returns the resources with what they tell of themselves.
fn resources() -> OpenApiRouter<Arc<Api>> {
    let resources = OpenApiRouter::new()
        .routes(routes!(read::campaigns::list))
        .routes(routes!(read::campaigns::show))
        .routes(routes!(read::targets::of_campaign))
        .routes(routes!(read::runs::list))
        .routes(routes!(read::targets::list))
        .routes(routes!(read::messages::list))
        .routes(routes!(read::events::list))
        .routes(routes!(read::revisions::list))
        .routes(routes!(read::revisions::show))
        .routes(routes!(read::accounts::list))
        .routes(routes!(read::config::list))
        .routes(routes!(orders::start))
        .routes(routes!(orders::pause))
        .routes(routes!(orders::resume))
        .routes(routes!(orders::cancel))
        .routes(routes!(orders::people::approve))
        .routes(routes!(orders::people::suppress))
        .routes(routes!(orders::people::resolve));
    OpenApiRouter::new().nest(BASE, resources)
}

/// Returns the description of the API in `OpenAPI` 3.1.
pub(crate) fn description() -> Value {
    document::complete(&resources().into_openapi())
}

/// Returns the routes of the API.
pub(crate) fn router(api: Arc<Api>) -> Router {
    let (resources, operations) = resources().split_for_parts();
    let description = Arc::new(document::complete(&operations));
    resources
        .route("/api/openapi.json", get(move || ready(Json(Value::clone(&description)))))
        .route("/api/docs", get(|| ready(WHERE)))
        .route("/problems/{slug}", get(describe))
        .fallback(|| ready(Problem::of(Kind::NotFound)))
        .layer(from_fn_with_state(Arc::clone(&api), finish::finish))
        .layer(CompressionLayer::new())
        .with_state(api)
}

/// Describes a type of problems.
async fn describe(Path(slug): Path<String>) -> Response {
    let Some(kind) = Kind::find(&slug) else { return Problem::of(Kind::NotFound).into_response() };
    let description = kind.description();
    let text = format!("{}: {}\n\n{}\n", description.status.as_u16(), description.title, description.help);
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}
