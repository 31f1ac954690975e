//! The description of the API in `OpenAPI` 3.1. Operations come from the handlers, schemas from the types that they return.

use serde_json::{Value, json};
use utoipa::openapi::OpenApi;

use super::list::List;
use super::orders::body::{ApprovalBody, OrderBody, ResolutionBody, SuppressionBody};
use super::orders::report::{Approval, Resolution, Suppressions};
use super::read::campaigns::CampaignDetail;
use super::schema::{present, returned, taken};
use crate::server::problem::{self, Kind};
use crate::store::OrderEffect;
use crate::store::query::{Account, Campaign, Line, Message, Revision, Rules, Run, Target};

const ABOUT: &str = "Campaigns, people and messages of relance, and the orders of operators.

Every request needs a token: `relancectl token create` makes one. A token of one account sees and changes nothing of any \
other account; what it may not see does not exist for it.

Lists have pages. `next` is the cursor of the next page, which the header `Link` names too. A refusal is a problem as in \
RFC 9457; its `code` is stable.";

/// The refusals that every operation may answer with.
const REFUSALS: [Kind; 10] = [
    Kind::BadRequest,
    Kind::Unauthorized,
    Kind::RoleTooLow,
    Kind::NotFound,
    Kind::TooSlow,
    Kind::UnknownHost,
    Kind::InvalidParameter,
    Kind::TooManyRequests,
    Kind::Busy,
    Kind::Internal,
];
/// The further refusals of operations that take a body.
const REFUSALS_OF_BODIES: [Kind; 3] = [Kind::CampaignPhase, Kind::BodyTooLarge, Kind::UnsupportedMediaType];

/// Completes what the handlers tell of themselves.
pub(super) fn complete(operations: &OpenApi) -> Value {
    let mut document = serde_json::to_value(operations).expect("a description is plain data");
    document["info"] = json!({
        "title": "relance",
        "version": env!("CARGO_PKG_VERSION"),
        "description": ABOUT,
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    document["components"] = json!({
        "schemas": schemas(),
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer",
                                      "description": "A token of `relancectl token create`"}},
    });
    document["security"] = json!([{"token": []}]);
    let paths = document["paths"].as_object_mut().expect("there are paths");
    for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(|operations| operations.values_mut())
    {
        for parameter in operation["parameters"].as_array_mut().into_iter().flatten() {
            parameter["schema"] = present(parameter["schema"].take());
        }
        let has_body = operation.get("requestBody").is_some();
        if has_body {
            operation["requestBody"]["required"] = true.into();
        }
        let more = REFUSALS_OF_BODIES.iter().filter(|_| has_body);
        for kind in REFUSALS.iter().chain(more) {
            let description = kind.description();
            operation["responses"][description.status.as_str()] = json!({
                "description": description.title,
                "content": {problem::MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            });
        }
    }
    document
}

fn schemas() -> Value {
    let mut out = returned();
    out.subschema_for::<List<Campaign>>();
    out.subschema_for::<CampaignDetail>();
    out.subschema_for::<List<Run>>();
    out.subschema_for::<List<Target>>();
    out.subschema_for::<List<Message>>();
    out.subschema_for::<List<Line>>();
    out.subschema_for::<List<Revision>>();
    out.subschema_for::<List<Account>>();
    out.subschema_for::<List<Rules>>();
    out.subschema_for::<OrderEffect>();
    out.subschema_for::<Approval>();
    out.subschema_for::<Suppressions>();
    out.subschema_for::<Resolution>();
    out.subschema_for::<problem::Body>();
    let mut into = taken();
    into.subschema_for::<OrderBody>();
    into.subschema_for::<ApprovalBody>();
    into.subschema_for::<SuppressionBody>();
    into.subschema_for::<ResolutionBody>();
    let mut all = out.take_definitions(true);
    all.extend(into.take_definitions(true));
    // An order that does not depend on the order of insertion keeps changes of the file small.
    let mut all: Vec<(String, Value)> = all.into_iter().collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    Value::Object(all.into_iter().collect())
}
