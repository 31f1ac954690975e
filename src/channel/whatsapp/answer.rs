//! The reading of Graph API answers into outcomes.

use chrono::TimeDelta;
use serde_json::Value;

use super::errors as table;
use crate::channel::outgoing::Reply;
use crate::channel::refusal_text::{retry_after, short, wait_of};
use crate::core::lifecycle::outcome::{Outcome, Reaction};

/// The code for marketing that is off on the called endpoint; another endpoint takes it.
const MARKETING_ELSEWHERE: i64 = 131_063;
/// The longest name of a person, in bytes. Every one that Meta assigns is shorter.
const LONGEST_NAME: usize = 512;

/// A parsed answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Accepted {
        id: String,
        /// The names of the recipient: the number in the form that WhatsApp knows, and the user id.
        names: Vec<String>,
    },
    /// A refusal with an error code.
    Error {
        code: i64,
        text: String,
        /// The time until limits are lifted, if the answer states it.
        wait: Option<TimeDelta>,
    },
    /// A refusal by a server that does not answer like the Graph API.
    Stranger { status: u16, wait: Option<TimeDelta> },
    /// An unreadable answer: the message may have been accepted.
    Unclear { text: String },
}

impl Answer {
    pub(super) fn of(reply: &Reply) -> Self {
        let json: Option<Value> = serde_json::from_slice(&reply.body).ok();
        let at = |pointer: &str| json.as_ref().and_then(|json| json.pointer(pointer));
        if let Some(id) = at("/messages/0/id").and_then(Value::as_str).filter(|id| !id.is_empty()) {
            let name = |key| at(key).and_then(Value::as_str).filter(|name| (1..=LONGEST_NAME).contains(&name.len()));
            let names = ["/contacts/0/wa_id", "/contacts/0/user_id"].into_iter().filter_map(name);
            return Self::Accepted { id: id.to_owned(), names: names.map(str::to_owned).collect() };
        }
        if let Some(code) = at("/error/code").and_then(Value::as_i64) {
            let texts = ["/error/message", "/error/error_data/details"].map(|part| at(part).and_then(Value::as_str));
            let texts: Vec<&str> = texts.into_iter().flatten().filter(|text| !text.is_empty()).collect();
            let texts = texts.join(": ");
            // Meta often repeats the code at the start of the text.
            let text = texts.strip_prefix(&format!("(#{code})")).unwrap_or(&texts);
            return Self::Error { code, text: short(text), wait: wait(reply) };
        }
        match reply.status {
            // A server that reports 408 did not read the whole request in time, but may have read enough.
            300..=407 | 409..=499 => Self::Stranger { status: reply.status, wait: wait(reply) },
            status => Self::Unclear { text: format!("answered {status} with nothing that can be read") },
        }
    }

    /// Returns true if the same message may go to the marketing endpoint.
    pub(super) fn wants_marketing_endpoint(&self) -> bool {
        matches!(self, Self::Error { code: MARKETING_ELSEWHERE, .. })
    }

    /// Returns the outcome of the message at hand-over number `attempts`.
    pub(super) fn outcome(self, attempts: u16) -> Outcome {
        match self {
            Self::Accepted { id, names } => Outcome::Accepted { provider_id: id, names },
            Self::Error { code, text, wait } => {
                let reaction = match table::by_details(table::reaction(code, attempts), code, &text) {
                    Reaction::Throttle { after } => Reaction::Throttle { after: wait.or(after) },
                    other => other,
                };
                Outcome::refused(format!("{code}: {text}"), reaction)
            }
            Self::Stranger { status, wait } => {
                let reaction = match status {
                    429 => Reaction::Throttle { after: wait },
                    // Another server or a proxy answers, and would refuse every message.
                    300..=399 | 401 | 403..=405 | 407 => Reaction::PauseChannel,
                    _ => Reaction::Retry { after: None },
                };
                Outcome::refused(format!("answered {status} without a code of the Graph API"), reaction)
            }
            Self::Unclear { text } => Outcome::Unknown { error: text },
        }
    }
}

/// Returns the longer wait: that of `Retry-After`, or the minutes in Meta's usage header, stated per business account.
fn wait(reply: &Reply) -> Option<TimeDelta> {
    // Meta's servers always send their own date.
    let texts = retry_after(reply, None);
    let usage: Option<Value> =
        reply.header("x-business-use-case-usage").and_then(|text| serde_json::from_str(text).ok());
    let uses = usage.iter().filter_map(Value::as_object).flat_map(|accounts| accounts.values());
    let uses = uses.filter_map(Value::as_array).flatten();
    let minutes = uses.filter_map(|one| one.get("estimated_time_to_regain_access")?.as_i64()).max();
    let regained = minutes.and_then(|minutes| wait_of(minutes.saturating_mul(60)));
    texts.into_iter().chain(regained).max()
}

#[cfg(test)]
mod tests {
    use super::Answer;
    use crate::channel::outgoing::Reply;

    const REFUSED: &str = r#"{"error": {"message": "(#130429) Rate limit hit", "type": "OAuthException", "code": 130429,
        "error_data": {"messaging_product": "whatsapp", "details": "Cloud API message throughput\nhas been reached."}}}"#;
    const USAGE: &str =
        r#"{"102": [{"call_count": 9, "estimated_time_to_regain_access": 7}], "103": [{"call_count": 1}]}"#;

    /// A name, the status, the headers and the body.
    type Case<'a> = (&'a str, u16, Vec<(&'static str, &'a str)>, String);

    #[test]
    fn table() {
        let accepted = r#"{"messaging_product": "whatsapp", "contacts": [{"input": "+1", "wa_id": "1"}],
            "messages": [{"id": "wamid.A", "message_status": "held_for_quality_assessment"}]}"#;
        let error = |code: i64| format!(r#"{{"error": {{"message": "no", "code": {code}}}}}"#);
        let answers: Vec<Case<'_>> = vec![
            ("accepted", 200, vec![], accepted.to_owned()),
            ("an empty id", 200, vec![], r#"{"messages": [{"id": ""}]}"#.to_owned()),
            ("no JSON", 200, vec![], "<html>".to_owned()),
            ("nothing", 200, vec![], String::new()),
            ("a code", 400, vec![], REFUSED.to_owned()),
            ("seconds", 429, vec![("retry-after", "90")], REFUSED.to_owned()),
            ("minutes", 429, vec![("x-business-use-case-usage", USAGE), ("retry-after", "90")], REFUSED.to_owned()),
            ("a date", 429, vec![("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")], REFUSED.to_owned()),
            ("for ever", 429, vec![("retry-after", "99999999999999999")], REFUSED.to_owned()),
            ("seconds that concern nobody", 400, vec![("retry-after", "90")], error(131_026)),
            ("the status says another thing", 200, vec![], error(190)),
            ("the status says another thing", 500, vec![], error(131_026)),
            ("no words", 400, vec![], r#"{"error": {"code": 100}}"#.to_owned()),
            ("no code", 400, vec![], r#"{"error": {"message": "no"}}"#.to_owned()),
            ("no code", 500, vec![], r#"{"error": {"message": "no"}}"#.to_owned()),
            ("a stranger", 429, vec![("retry-after", "5")], String::new()),
            ("a stranger", 301, vec![], String::new()),
            ("a stranger", 403, vec![], String::new()),
            ("a stranger", 404, vec![], String::new()),
            ("a stranger", 408, vec![], String::new()),
            ("a stranger", 413, vec![], String::new()),
            ("a stranger", 502, vec![], "<html>".to_owned()),
        ];
        let mut table = String::new();
        for (name, status, headers, body) in answers {
            let outcome = Answer::of(&Reply::new(status, &headers, body)).outcome(1);
            table += &format!("{status} {name:<28} {outcome:?}\n");
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_malformed_answer_is_unclear_and_a_long_text_is_cut() {
        for body in
            ["[]", "null", "{\"error\": 1}", "{\"error\": {\"code\": \"131026\"}}", "{\"messages\": {}}", "\u{0}"]
        {
            assert!(matches!(Answer::of(&Reply::new(200, &[], body)), Answer::Unclear { .. }), "{body}");
        }
        let long = format!(r#"{{"error": {{"message": "{}", "code": 1}}}}"#, "é".repeat(4_000));
        let Answer::Error { text, .. } = Answer::of(&Reply::new(400, &[], long)) else { panic!() };
        assert_eq!(text.chars().count(), 301);
    }
}
