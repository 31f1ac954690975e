//! The request body that the Graph API takes for a message.
//!
//! A person who wrote within the last day gets the content of the day: its text, or its medium with the text as
//! caption. Every other person gets the template of the day, with the medium as its header. Each call sends one
//! message, never both. A message that WhatsApp would refuse for its content is refused here, without a call.

use serde_json::{Value, json};

use crate::core::dispatch::OutgoingMessage;
use crate::core::domain::Callback;
use crate::core::lifecycle::outcome::{Outcome, Reaction};
use crate::core::manifest::desired::{
    Button, ButtonType, Media, MediaAt, MediaType, Slot, Takes, TemplateMessage, is_blank,
};

const TAKES: Takes = Takes::WHATSAPP_CLOUD;

/// A request body that fits both endpoints.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Body {
    json: Value,
    pub(super) is_template: bool,
}

impl Body {
    /// Returns the body for `/messages`.
    pub(super) fn text(&self) -> String {
        self.json.to_string()
    }

    /// Returns the body for `/marketing_messages`: sent as marketing if possible, else as any other template.
    pub(super) fn marketing(&self) -> String {
        let mut json = self.json.clone();
        json["product_policy"] = json!("CLOUD_API_FALLBACK");
        json.to_string()
    }
}

/// Returns the body for a person with or without an open conversation. Refuses without a call if nothing can be sent.
pub(super) fn body(message: &OutgoingMessage, callback: &Callback) -> Result<Body, Outcome> {
    let content = &message.content;
    let (kind, value) = match (&content.template, message.in_conversation) {
        (_, true) => free(&content.text, &content.media)?,
        (Some(template), false) => ("template", of_template(template, &content.media)?),
        (None, false) => {
            let error = "this day has no `whatsappTemplate`, and without one WhatsApp takes messages only to people who \
                         wrote within the last 24 hours";
            return Err(Outcome::refused(error, Reaction::Unfit));
        }
    };
    let mut json = json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        // Meta would put the country code of the business before a number without `+`.
        "to": message.phone.dialled(),
        "biz_opaque_callback_data": callback.to_string(),
        "type": kind,
    });
    json[kind] = value;
    Ok(Body { json, is_template: kind == "template" })
}

fn free(text: &str, media: &[Media]) -> Result<(&'static str, Value), Outcome> {
    let Some(medium) = the_one(media)? else {
        if is_blank(text) {
            return Err(Outcome::refused("the text is blank, and WhatsApp takes no blank text", Reaction::Unfit));
        }
        within(text, TAKES.text, "the text")?;
        return Ok(("text", json!({"preview_url": false, "body": text})));
    };
    within(text, TAKES.caption, "the text below a medium")?;
    let (kind, mut value) = of_medium(medium);
    if !is_blank(text) {
        value["caption"] = json!(text);
    }
    Ok((kind, value))
}

fn of_template(template: &TemplateMessage, media: &[Media]) -> Result<Value, Outcome> {
    if let Some(misfit) = template.misfit() {
        return Err(Outcome::refused(misfit.to_string(), Reaction::Unfit));
    }
    let mut components = Vec::new();
    if let Some(medium) = the_one(media)? {
        let (kind, value) = of_medium(medium);
        components.push(json!({"type": "header", "parameters": [{"type": kind, kind: value}]}));
    } else if let Some(header) = &template.header {
        components.push(json!({"type": "header", "parameters": [of_text(header.name(), header.value())]}));
    }
    if !template.parameters.is_empty() {
        let parameters = template.parameters.iter().map(|(slot, text)| match &slot {
            Slot::Named(name) => of_text(Some(name), text),
            Slot::Header | Slot::Parameter(_) | Slot::Body | Slot::Button(_) => of_text(None, text),
        });
        let parameters: Vec<Value> = parameters.collect();
        components.push(json!({"type": "body", "parameters": parameters}));
    }
    components.extend(template.buttons.iter().map(of_button));
    let language = template.language.as_str().replace('-', "_");
    let mut value = json!({"name": template.name, "language": {"code": language}});
    if !components.is_empty() {
        value["components"] = Value::Array(components);
    }
    Ok(value)
}

fn of_text(name: Option<&str>, text: &str) -> Value {
    let mut value = json!({"type": "text", "text": text});
    if let Some(name) = name {
        value["parameter_name"] = json!(name);
    }
    value
}

fn of_button(button: &Button) -> Value {
    let (kind, parameter) = match button.kind {
        ButtonType::QuickReply => ("quick_reply", json!({"type": "payload", "payload": button.value})),
        ButtonType::Url => ("url", of_text(None, &button.value)),
        ButtonType::CopyCode => ("copy_code", json!({"type": "coupon_code", "coupon_code": button.value})),
    };
    json!({"type": "button", "sub_type": kind, "index": button.index.to_string(), "parameters": [parameter]})
}

/// Returns the only medium, which must be of a kind that takes a text. Refuses several media.
fn the_one(media: &[Media]) -> Result<Option<&Media>, Outcome> {
    match media {
        [] => Ok(None),
        [medium] if TAKES.media.contains(&medium.kind) => Ok(Some(medium)),
        _ => {
            let error = "WhatsApp takes one picture, film or document with a text, and no recording";
            Err(Outcome::refused(error, Reaction::Unfit))
        }
    }
}

fn of_medium(medium: &Media) -> (&'static str, Value) {
    let mut value = match &medium.at {
        MediaAt::Url(link) => json!({"link": link}),
        MediaAt::Id(id) => json!({"id": id}),
    };
    if let (MediaType::Document, MediaAt::Url(link)) = (medium.kind, &medium.at) {
        let path = link.split(['?', '#']).next().unwrap_or_default();
        let name = path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("document");
        value["filename"] = json!(name);
    }
    (medium.kind.as_str(), value)
}

fn within(text: &str, most: Option<usize>, what: &str) -> Result<(), Outcome> {
    let Some(most) = most.filter(|most| text.len() > *most) else { return Ok(()) };
    let chars = text.chars().count();
    if chars <= most {
        return Ok(());
    }
    let error = format!("{what} has {chars} characters; WhatsApp takes {most} at most");
    Err(Outcome::refused(error, Reaction::Unfit))
}
