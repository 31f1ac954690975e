//! The validation of request bodies, as by the Graph API.

use serde_json::Value;

use super::error::ApiError;

/// The content of a valid body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The recipient, as written.
    pub(super) to: String,
    /// The callback data of the sender; empty if there is none.
    pub(super) key: String,
    /// The name of the template; `None` for a message that needs an open conversation.
    pub(super) template: Option<String>,
    /// The number of parameters for the body of the template.
    pub(super) parameters: usize,
}

/// Validates a body as `/messages` does.
pub(super) fn check(body: &Value) -> Result<Wanted, ApiError> {
    if text(body, "messaging_product") != Some("whatsapp") {
        return Err(ApiError::new(100, "The parameter messaging_product is required."));
    }
    let to = text(body, "to").ok_or_else(|| ApiError::new(100, "The parameter to is required."))?;
    let digits = to.strip_prefix('+').unwrap_or(to);
    if !(7..=15).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ApiError::new(131_009, "Parameter value is not valid"));
    }
    let key = text(body, "biz_opaque_callback_data").unwrap_or_default();
    limit(key, 512, "biz_opaque_callback_data")?;
    let kind = text(body, "type").unwrap_or("text");
    let value = body.get(kind).ok_or_else(|| missing(kind))?;
    let mut wanted = Wanted { to: to.to_owned(), key: key.to_owned(), template: None, parameters: 0 };
    match kind {
        "text" => limit(needed(value, "body")?, 4096, "text['body']")?,
        "image" | "video" | "document" | "audio" => medium(kind, value)?,
        "template" => {
            wanted.template = Some(needed(value, "name")?.to_owned());
            needed(value.get("language").ok_or_else(|| missing("language"))?, "code")?;
            for one in value.get("components").and_then(Value::as_array).into_iter().flatten() {
                wanted.parameters += component(one)?;
            }
        }
        _ => return Err(ApiError::new(131_051, "Unsupported message type")),
    }
    Ok(wanted)
}

/// Returns the number of parameters for the body of the template.
fn component(component: &Value) -> Result<usize, ApiError> {
    let parameters = component.get("parameters").and_then(Value::as_array).ok_or_else(|| missing("parameters"))?;
    parameters.iter().try_for_each(parameter)?;
    let named = parameters.iter().filter(|parameter| text(parameter, "parameter_name").is_some()).count();
    if named != 0 && named != parameters.len() {
        let details = "Parameter name is missing or empty".to_owned();
        return Err(ApiError { details, ..ApiError::new(100, "Invalid parameter") });
    }
    let kinds: Vec<&str> = parameters.iter().filter_map(|parameter| text(parameter, "type")).collect();
    match needed(component, "type")? {
        "body" if kinds.iter().all(|kind| *kind == "text") => Ok(kinds.len()),
        "header" => match kinds[..] {
            ["text"] if text(&parameters[0], "text").is_some_and(|text| text.chars().count() > 60) => {
                let details = "header text exceeds 60 characters".to_owned();
                Err(ApiError { details, ..ApiError::new(132_005, "Template Hydrated Text Too Long") })
            }
            ["text"] => Ok(0),
            ["image" | "video" | "document"] => Ok(0),
            _ => Err(misfit()),
        },
        "button" => {
            let place = needed(component, "index")?.parse::<u8>();
            match (needed(component, "sub_type")?, &kinds[..]) {
                ("quick_reply", ["payload"]) | ("url", ["text"]) | ("copy_code", ["coupon_code"])
                    if place.as_ref().is_ok_and(|place| *place < 10) =>
                {
                    Ok(0)
                }
                _ => Err(misfit()),
            }
        }
        _ => Err(misfit()),
    }
}

fn misfit() -> ApiError {
    ApiError::new(132_012, "Parameter format does not match format in the created template")
}

fn parameter(parameter: &Value) -> Result<(), ApiError> {
    match needed(parameter, "type")? {
        "text" => {
            let text = needed(parameter, "text")?;
            if text.trim().is_empty() {
                return Err(missing("text"));
            }
            if text.contains(['\n', '\t']) || text.contains("     ") {
                let message = "Param text cannot have new-line/tab characters or more than 4 consecutive spaces";
                return Err(ApiError::new(132_018, message));
            }
            Ok(())
        }
        kind @ ("payload" | "coupon_code") => needed(parameter, kind).map(drop),
        kind @ ("image" | "video" | "document") => medium(kind, parameter.get(kind).ok_or_else(|| missing(kind))?),
        _ => Err(misfit()),
    }
}

fn medium(kind: &str, value: &Value) -> Result<(), ApiError> {
    let id = text(value, "id");
    if id.is_some_and(|id| id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(ApiError::new(131_009, "Parameter value is not valid"));
    }
    if id.is_some() && text(value, "link").is_some() {
        return Err(ApiError::new(100, "Only one of id and link may be given"));
    }
    if id.is_none() {
        let link = needed(value, "link")?;
        if !link.starts_with("https://") && !link.starts_with("http://") {
            return Err(ApiError::new(131_009, "Parameter value is not valid"));
        }
    }
    match text(value, "caption") {
        Some(_) if kind == "audio" => Err(ApiError::new(100, "Unexpected key \"caption\" on param \"audio\".")),
        Some(caption) => limit(caption, 1024, "caption"),
        None => Ok(()),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn needed<'a>(value: &'a Value, key: &str) -> Result<&'a str, ApiError> {
    text(value, key).filter(|text| !text.is_empty()).ok_or_else(|| missing(key))
}

fn missing(key: &str) -> ApiError {
    ApiError {
        details: format!("Parameter '{key}' is required"),
        ..ApiError::new(131_008, "Required parameter is missing")
    }
}

fn limit(text: &str, most: usize, what: &str) -> Result<(), ApiError> {
    if text.chars().count() <= most {
        return Ok(());
    }
    Err(ApiError::new(100, format!("Param {what} must be at most {most} characters long.")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::check;

    fn body(rest: &Value) -> Value {
        let mut body = json!({"messaging_product": "whatsapp", "to": "+237671000001"});
        body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        body
    }

    #[test]
    fn invalid_bodies_are_refused_with_the_documented_codes() {
        let with = |component: Value| json!({"type": "template", "template": {"name": "t", "language": {"code": "fr"}, "components": [component]}});
        let of = |kind: &str, parameter: Value| with(json!({"type": kind, "parameters": [parameter]}));
        let button = |kind: &str, parameter: Value| {
            with(json!({"type": "button", "sub_type": kind, "index": "9", "parameters": [parameter]}))
        };
        let template = |parameter: Value| of("body", parameter);
        let image = |value: Value| json!({"type": "image", "image": value});
        for (rest, code) in [
            (json!({"text": {"body": "a"}}), 0),
            (json!({"to": "671"}), 131_009),
            (json!({"messaging_product": "sms"}), 100),
            (json!({"type": "text", "text": {}}), 131_008),
            (json!({"type": "text", "text": {"body": "é".repeat(4_096)}}), 0),
            (json!({"type": "text", "text": {"body": "é".repeat(4_097)}}), 100),
            (json!({"type": "sticker", "sticker": {}}), 131_051),
            (json!({"type": "image"}), 131_008),
            (image(json!({"link": "https://e.com/a.png", "caption": "é".repeat(1_024)})), 0),
            (image(json!({"link": "https://e.com/a.png", "caption": "é".repeat(1_025)})), 100),
            (image(json!({"link": "e.com/a.png"})), 131_009),
            (json!({"type": "audio", "audio": {"link": "https://e.com/a", "caption": "a"}}), 100),
            (template(json!({"type": "text", "text": "Ann"})), 0),
            (template(json!({"type": "text", "text": ""})), 131_008),
            (template(json!({"type": "text", "text": "a\nb"})), 132_018),
            (template(json!({"type": "image", "image": {"link": "https://e.com/a.png"}})), 132_012),
            (of("header", json!({"type": "image", "image": {"link": "https://e.com/a.png"}})), 0),
            (of("header", json!({"type": "document", "document": {"id": "1234"}})), 0),
            (of("header", json!({"type": "document", "document": {"id": "a b"}})), 131_009),
            (of("header", json!({"type": "text", "text": "é".repeat(60)})), 0),
            (of("header", json!({"type": "text", "text": "é".repeat(61)})), 132_005),
            (template(json!({"type": "text", "text": " \u{a0}"})), 131_008),
            (template(json!({"type": "text", "parameter_name": "first", "text": "Ann"})), 0),
            (
                with(json!({"type": "body", "parameters": [
                    {"type": "text", "parameter_name": "first", "text": "Ann"}, {"type": "text", "text": "b"}]})),
                100,
            ),
            (of("header", json!({"type": "payload", "payload": "a"})), 132_012),
            (button("quick_reply", json!({"type": "payload", "payload": "STOP"})), 0),
            (button("quick_reply", json!({"type": "text", "text": "STOP"})), 132_012),
            (button("url", json!({"type": "text", "text": "a/b"})), 0),
            (button("copy_code", json!({"type": "coupon_code", "coupon_code": "A1"})), 0),
            (button("copy_code", json!({"type": "coupon_code"})), 131_008),
            (button("call", json!({"type": "text", "text": "a"})), 132_012),
            (image(json!({"id": "1234", "caption": "a"})), 0),
            (image(json!({"id": "1234", "link": "https://e.com/a.png"})), 100),
            (template(json!({"type": "audio", "audio": {"link": "https://e.com/a"}})), 132_012),
            (json!({"type": "template", "template": {"name": "t"}}), 131_008),
            (json!({"text": {"body": "a"}, "biz_opaque_callback_data": "k".repeat(513)}), 100),
        ] {
            let code_found = check(&body(&rest)).map_or_else(|error| error.code, |_| 0);
            assert_eq!(code_found, code, "{rest}");
        }
        let wanted = check(&body(&template(json!({"type": "text", "text": "Ann"})))).unwrap();
        assert_eq!((wanted.template.as_deref(), wanted.parameters), (Some("t"), 1));
    }
}
