//! The reading of gateway answers into outcomes.

use serde_json::Value;

use crate::channel::outgoing::{Reply, Silence};
use crate::channel::refusal_text::{retry_after, short};
use crate::core::lifecycle::outcome::{Outcome, Reaction};
use crate::core::manifest::desired::Http as Spec;

/// The places in an answer where gateways state a reason.
const WORDS: [&str; 5] = ["/response/message", "/error/message", "/message", "/detail", "/error"];

/// Returns the outcome of the message with our `id`. `by_sender` is true if the request has the account's `sender`.
pub(super) fn outcome(spec: &Spec, reply: &Reply, (id, by_sender): (&str, bool)) -> Outcome {
    let status = reply.status;
    let any = spec.success_statuses.is_empty();
    let is_success = if any { (200..300).contains(&status) } else { spec.success_statuses.contains(&status) };
    let json: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let said = said(status, json.as_ref());
    match status {
        _ if is_success => accepted(spec, json.as_ref(), id, &said),
        200..=299 => Outcome::Unknown { error: format!("{said}, which is none of `successStatuses`") },
        429 => Outcome::refused(said, Reaction::Throttle { after: retry_after(reply) }),
        503 if reply.header("retry-after").is_some() => {
            Outcome::refused(said, Reaction::Throttle { after: retry_after(reply) })
        }
        // A gateway with an instance for each account may have lost one session: only that account pauses.
        401 | 403 if by_sender => Outcome::refused(said, Reaction::PauseAccount),
        300..=399 | 401 | 402 | 403 | 407 => Outcome::refused(said, Reaction::PauseChannel),
        // A server that reports 408 did not read the whole request in time, but may have read enough.
        408 => Outcome::Unknown { error: said },
        400..=499 => Outcome::refused(said, Reaction::FailDay),
        _ => Outcome::Unknown { error: said },
    }
}

/// Returns the outcome of a message without an answer.
pub(super) fn silence(silence: Silence) -> Outcome {
    match silence {
        Silence::NotSent(error) => Outcome::refused(error, Reaction::Retry { after: None }),
        Silence::Unknown(error) => Outcome::Unknown { error },
    }
}

fn accepted(spec: &Spec, json: Option<&Value>, id: &str, said: &str) -> Outcome {
    let Some(pointer) = &spec.message_id else { return Outcome::accepted(id.to_owned()) };
    let provider_id = match json.and_then(|json| json.pointer(pointer)) {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return Outcome::Unknown { error: format!("{said}, without an id at `{pointer}`") },
    };
    Outcome::accepted(provider_id)
}

/// Returns the status, with the reason of the gateway if it gives one.
fn said(status: u16, json: Option<&Value>) -> String {
    let words = WORDS.iter().find_map(|pointer| json?.pointer(pointer)?.as_str()).filter(|words| !words.is_empty());
    words.map_or_else(|| format!("answered {status}"), |words| format!("answered {status}: {}", short(words)))
}

#[cfg(test)]
mod tests {
    use super::{outcome, silence};
    use crate::channel::outgoing::{Reply, Silence};
    use crate::core::lifecycle::outcome::{Outcome, Reaction};
    use crate::core::manifest::desired::{Channel, Http};

    fn spec(more: &str) -> Http {
        let channel = serde_json::json!({
            "type": "http", "url": "https://gateway.example", "method": "POST", "headers": {}, "basicAuth": null,
            "body": "{}", "contentType": "application/json", "phoneFormat": "e164", "messageId": null,
            "successStatuses": [], "idempotencyHeader": null, "unofficial": true, "newNumbers": true, "timeout": "10s",
            "connectTimeout": "5s", "concurrency": 1,
        });
        let mut channel = channel;
        let more: serde_json::Value = serde_json::from_str(more).unwrap();
        channel.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        match serde_json::from_value(channel).unwrap() {
            Channel::Http(http) => *http,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn table() {
        let plain = spec("{}");
        let strict = spec(r#"{"messageId": "/key/id", "successStatuses": [201]}"#);
        let mut table = String::new();
        for (status, body) in [
            (200, r#"{"key": {"id": "3EB0"}}"#),
            (201, r#"{"key": {"id": "3EB0"}}"#),
            (201, r#"{"key": {"id": 7}}"#),
            (201, r#"{"key": {"id": ""}}"#),
            (201, "<html>"),
            (204, ""),
            (302, ""),
            (400, r#"{"response": {"message": [{"exists": false}]}, "error": "Bad\nRequest"}"#),
            (401, r#"{"message": "Unauthorized"}"#),
            (402, ""),
            (403, ""),
            (404, ""),
            (407, ""),
            (408, ""),
            (410, ""),
            (422, ""),
            (429, ""),
            (500, r#"{"error": {"message": "Connection Closed"}}"#),
            (503, ""),
            (599, ""),
            (999, ""),
        ] {
            table += &format!("{status} {body}\n");
            for (name, spec) in [("plain", &plain), ("strict", &strict)] {
                let said = outcome(spec, &Reply::new(status, &[], body), ("relance.1.2.3.4", false));
                table += &format!("  {name:<10} {said:?}\n");
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn who_says_how_long_to_wait_has_not_taken_it() {
        let wait = |status| outcome(&spec("{}"), &Reply::new(status, &[("retry-after", "90")], ""), ("", false));
        let throttled = Reaction::Throttle { after: Some(chrono::TimeDelta::seconds(90)) };
        for status in [429, 503] {
            assert_eq!(wait(status), Outcome::refused(format!("answered {status}"), throttled));
        }
        assert!(matches!(wait(500), Outcome::Unknown { .. }));
    }

    #[test]
    fn who_is_not_let_in_by_a_name_of_their_own_concerns_no_other() {
        let asks = |status, by_sender| match outcome(&spec("{}"), &Reply::new(status, &[], ""), ("", by_sender)) {
            Outcome::Refused(refusal) => refusal.reaction,
            other => panic!("{other:?}"),
        };
        for status in [401, 403] {
            assert_eq!((asks(status, true), asks(status, false)), (Reaction::PauseAccount, Reaction::PauseChannel));
        }
        for status in [302, 402, 407] {
            assert_eq!(asks(status, true), Reaction::PauseChannel);
        }
    }

    #[test]
    fn what_may_have_left_is_unknown() {
        let cut = || "cut".to_owned();
        let retry = Outcome::refused("cut", Reaction::Retry { after: None });
        assert_eq!(silence(Silence::NotSent(cut())), retry);
        assert_eq!(silence(Silence::Unknown(cut())), Outcome::Unknown { error: cut() });
    }
}
