//! The reading of gateway answers into outcomes.

use chrono::TimeDelta;
use serde_json::Value;

use crate::channel::outgoing::{Reply, Silence};
use crate::channel::refusal_text::{retry_after, short};
use crate::core::domain::Timestamp;
use crate::core::lifecycle::outcome::{Outcome, Reaction};
use crate::core::manifest::desired::{AnswerRule, Http as Spec, Meaning};

/// The places in an answer where gateways state a reason.
const WORDS: [&str; 11] = [
    "/response/message",
    "/response/message/0",
    "/error/message",
    "/message",
    "/detail",
    "/messages/0/error-text",
    "/messages/0/status/description",
    "/messages/0/status/name",
    "/SMSMessageData/Recipients/0/status",
    "/SMSMessageData/Message",
    "/error",
];

/// The message that a request was made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// Our id of the message.
    pub(super) id: &'a str,
    /// True if the request contains the `sender` of the account.
    pub(super) by_sender: bool,
    pub(super) now: Timestamp,
}

/// Returns the outcome of the message: by the first rule of the channel that applies, else by the status.
pub(super) fn outcome(spec: &Spec, reply: &Reply, asked: Asked<'_>) -> Outcome {
    let json = serde_json::from_slice(&reply.body).ok();
    let answer = Answer { spec, reply, json, asked };
    let body = String::from_utf8_lossy(&reply.body);
    let rule = spec.errors.iter().find(|rule| rule.applies(reply.status, answer.json.as_ref(), &body));
    rule.map_or_else(|| answer.by_status(), |rule| answer.by_rule(rule))
}

/// Returns the outcome of a message without an answer.
pub(super) fn silence(silence: Silence) -> Outcome {
    match silence {
        Silence::NotSent(error) => Outcome::refused(error, Reaction::Retry { after: None }),
        Silence::Unknown(error) => Outcome::Unknown { error },
    }
}

/// An answer of the gateway to the request for a message.
struct Answer<'a> {
    spec: &'a Spec,
    reply: &'a Reply,
    /// The body, if it is JSON.
    json: Option<Value>,
    asked: Asked<'a>,
}

impl Answer<'_> {
    fn by_rule(&self, rule: &AnswerRule) -> Outcome {
        let reaction = match rule.means {
            Meaning::Sent => {
                let provider_id = self.id().unwrap_or_else(|| self.asked.id.to_owned());
                return Outcome::accepted(provider_id);
            }
            Meaning::Slow => Reaction::Throttle { after: self.wait() },
            Meaning::Retry => Reaction::Retry { after: self.wait() },
            Meaning::Fail => Reaction::FailDay,
            Meaning::Undeliverable => Reaction::Leave,
            Meaning::Suppress => Reaction::Suppress,
            Meaning::PauseAccount => Reaction::PauseAccount,
            Meaning::PauseChannel => Reaction::PauseChannel,
        };
        // A body of plain text may repeat the request, so only the words of the rule are kept.
        let error = match (&rule.contains, &self.json) {
            (Some(part), None) => format!("{}, with `{part}`", self.description()),
            (_, _) => self.description(),
        };
        Outcome::refused(error, reaction)
    }

    fn by_status(&self) -> Outcome {
        let (status, description) = (self.reply.status, self.description());
        let any = self.spec.success_statuses.is_empty();
        let is_success = if any { (200..300).contains(&status) } else { self.spec.success_statuses.contains(&status) };
        match status {
            _ if is_success => self.accepted(&description),
            200..=299 => Outcome::Unknown { error: format!("{description}, which is none of `successStatuses`") },
            429 => Outcome::refused(description, Reaction::Throttle { after: self.wait() }),
            503 if self.reply.header("retry-after").is_some() => {
                Outcome::refused(description, Reaction::Throttle { after: self.wait() })
            }
            // A gateway with an instance for each account may have lost one, or its session: only that account pauses.
            401 | 403 | 404 if self.asked.by_sender => Outcome::refused(description, Reaction::PauseAccount),
            300..=399 | 401 | 402 | 403 | 407 => Outcome::refused(description, Reaction::PauseChannel),
            // A server that reports 408 did not read the whole request in time, but may have read enough.
            408 => Outcome::Unknown { error: description },
            400..=499 => Outcome::refused(description, Reaction::FailDay),
            _ => Outcome::Unknown { error: description },
        }
    }

    /// Returns the outcome of an answer with a status of success.
    fn accepted(&self, description: &str) -> Outcome {
        if let Some(success) = &self.spec.success {
            let pointer = &success.pointer;
            match self.json.as_ref().and_then(|json| json.pointer(pointer)) {
                Some(value) if success.values.have(value) => {}
                Some(value) => {
                    let value = short(&value.to_string());
                    return Outcome::refused(format!("{description}, with {value} at `{pointer}`"), Reaction::FailDay);
                }
                None => return Outcome::Unknown { error: format!("{description}, with nothing at `{pointer}`") },
            }
        }
        match (self.id(), &self.spec.message_id) {
            (Some(provider_id), _) => Outcome::accepted(provider_id),
            (None, None) => Outcome::accepted(self.asked.id.to_owned()),
            (None, Some(pointer)) => Outcome::Unknown { error: format!("{description}, without an id at `{pointer}`") },
        }
    }

    /// Returns the gateway's id of the message, if the channel says where it is and the answer has it.
    fn id(&self) -> Option<String> {
        match self.json.as_ref()?.pointer(self.spec.message_id.as_ref()?)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    fn wait(&self) -> Option<TimeDelta> {
        retry_after(self.reply, Some(self.asked.now))
    }

    /// Returns the status, with the reason of the gateway if it gives one.
    fn description(&self) -> String {
        let status = self.reply.status;
        let words = WORDS.iter().find_map(|pointer| self.json.as_ref()?.pointer(pointer)?.as_str());
        match words.filter(|words| !words.is_empty()) {
            Some(words) => format!("answered {status}: {}", short(words)),
            None => format!("answered {status}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, outcome, silence};
    use crate::channel::outgoing::{Reply, Silence};
    use crate::core::lifecycle::outcome::{Outcome, Reaction};
    use crate::core::manifest::desired::{Channel, Http};

    fn spec(more: &str) -> Http {
        let channel = serde_json::json!({
            "type": "http", "url": "https://gateway.example", "method": "POST", "headers": {}, "basicAuth": null,
            "body": "{}", "contentType": "application/json", "phoneFormat": "e164", "messageId": null,
            "successStatuses": [], "success": null, "errors": [], "idempotencyHeader": null, "unofficial": true,
            "newNumbers": true, "timeout": "10s", "connectTimeout": "5s", "concurrency": 1,
        });
        let mut channel = channel;
        let more: serde_json::Value = serde_json::from_str(more).unwrap();
        channel.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        match serde_json::from_value(channel).unwrap() {
            Channel::Http(http) => *http,
            other => panic!("{other:?}"),
        }
    }

    fn asked(by_sender: bool) -> Asked<'static> {
        Asked { id: "relance.1.2.3.4", by_sender, now: "2026-11-30T08:00:00Z".parse().unwrap() }
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
                let description = outcome(spec, &Reply::new(status, &[], body), asked(false));
                table += &format!("  {name:<10} {description:?}\n");
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_retry_after_header_means_the_message_was_not_accepted() {
        let wait = |status| outcome(&spec("{}"), &Reply::new(status, &[("retry-after", "90")], ""), asked(false));
        let throttled = Reaction::Throttle { after: Some(chrono::TimeDelta::seconds(90)) };
        for status in [429, 503] {
            assert_eq!(wait(status), Outcome::refused(format!("answered {status}"), throttled));
        }
        assert!(matches!(wait(500), Outcome::Unknown { .. }));
    }

    #[test]
    fn an_access_error_of_one_sender_pauses_only_its_account() {
        let asks = |status, by_sender| match outcome(&spec("{}"), &Reply::new(status, &[], ""), asked(by_sender)) {
            Outcome::Refused(refusal) => refusal.reaction,
            other => panic!("{other:?}"),
        };
        assert_eq!((asks(404, true), asks(404, false)), (Reaction::PauseAccount, Reaction::FailDay));
        for status in [401, 403] {
            assert_eq!((asks(status, true), asks(status, false)), (Reaction::PauseAccount, Reaction::PauseChannel));
        }
        for status in [302, 402, 407] {
            assert_eq!(asks(status, true), Reaction::PauseChannel);
        }
    }

    #[test]
    fn an_error_rule_overrides_the_status_code() {
        let meanings = [
            ("slow", Reaction::Throttle { after: Some(chrono::TimeDelta::seconds(90)) }),
            ("retry", Reaction::Retry { after: Some(chrono::TimeDelta::seconds(90)) }),
            ("fail", Reaction::FailDay),
            ("undeliverable", Reaction::Leave),
            ("suppress", Reaction::Suppress),
            ("pauseAccount", Reaction::PauseAccount),
            ("pauseChannel", Reaction::PauseChannel),
        ];
        for status in [200, 400, 422, 500] {
            for (means, reaction) in meanings {
                let rules = spec(&format!(r#"{{"errors": [{{"match": "/code", "equals": 7, "means": "{means}"}}]}}"#));
                let reply = Reply::new(status, &[("retry-after", "90")], r#"{"code": 7, "message": "no"}"#);
                let wanted = Outcome::refused(format!("answered {status}: no"), reaction);
                assert_eq!(outcome(&rules, &reply, asked(true)), wanted, "{status} {means}");
            }
        }
        let sent = r#"{"messageId": "/id", "errors": [{"status": 409, "contains": "duplicate", "means": "sent"}]}"#;
        let accepted = |body: &str| outcome(&spec(sent), &Reply::new(409, &[], body), asked(false));
        assert_eq!(accepted(r#"{"id": "A", "e": "Duplicate"}"#), Outcome::accepted("A"));
        let ours = Outcome::accepted("relance.1.2.3.4");
        assert_eq!(accepted("duplicate"), ours);
        assert_eq!(accepted("conflict"), Outcome::refused("answered 409", Reaction::FailDay));
    }

    #[test]
    fn the_first_matching_error_rule_wins() {
        let rules = spec(
            r#"{"errors": [{"status": 400, "match": "/a", "equals": 1, "means": "suppress"},
                           {"match": "/a", "means": "undeliverable"}, {"status": 500, "means": "retry"}]}"#,
        );
        let reaction = |status, body: &str| match outcome(&rules, &Reply::new(status, &[], body), asked(false)) {
            Outcome::Refused(refusal) => refusal.reaction,
            other => panic!("{other:?}"),
        };
        assert_eq!(reaction(400, r#"{"a": 1}"#), Reaction::Suppress);
        assert_eq!(reaction(500, r#"{"a": 1}"#), Reaction::Leave);
        assert_eq!(reaction(500, "down"), Reaction::Retry { after: None });
        assert_eq!(reaction(400, "down"), Reaction::FailDay);
    }

    #[test]
    fn a_success_status_requires_a_success_value() {
        let strict = spec(r#"{"success": {"pointer": "/m/0/status", "values": ["0", "7"]}, "messageId": "/m/0/id"}"#);
        let description = |status, body: &str| outcome(&strict, &Reply::new(status, &[], body), asked(false));
        let accepted = Outcome::accepted("A");
        assert_eq!(description(200, r#"{"m": [{"status": "0", "id": "A"}]}"#), accepted);
        assert_eq!(description(201, r#"{"m": [{"status": 7, "id": "A"}]}"#), accepted);
        let refused = |error: &str| Outcome::refused(error, Reaction::FailDay);
        assert_eq!(
            description(200, r#"{"m": [{"status": "4"}]}"#),
            refused("answered 200, with \"4\" at `/m/0/status`")
        );
        let unknown = |error: &str| Outcome::Unknown { error: error.to_owned() };
        assert_eq!(description(200, "<html>"), unknown("answered 200, with nothing at `/m/0/status`"));
        assert_eq!(
            description(200, r#"{"m": [{"status": "0"}]}"#),
            unknown("answered 200, without an id at `/m/0/id`")
        );
        // The status still counts where it is none of success.
        assert_eq!(
            description(401, r#"{"m": [{"status": "0"}]}"#),
            Outcome::refused("answered 401", Reaction::PauseChannel)
        );
    }

    #[test]
    fn a_request_cut_after_sending_has_an_unknown_outcome() {
        let cut = || "cut".to_owned();
        let retry = Outcome::refused("cut", Reaction::Retry { after: None });
        assert_eq!(silence(Silence::NotSent(cut())), retry);
        assert_eq!(silence(Silence::Unknown(cut())), Outcome::Unknown { error: cut() });
    }
}
