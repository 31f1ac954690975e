//! What Meta tells of templates, numbers and accounts.

use super::super::node::Node;
use super::super::{Notice, Subject};
use crate::domain::Timestamp;

/// What a change of `field` says; `None` when it is none of these fields, `Some(None)` when it does not say what happened.
#[expect(clippy::option_option, reason = "not ours is another thing than not understood")]
pub(super) fn notice(field: &str, entry: Node<'_>, value: Node<'_>, received_at: Timestamp) -> Option<Option<Notice>> {
    let (name, language) = (value.id("message_template_name"), value.id("message_template_language"));
    let event = value.text("event");
    let (subject, event, detail) = match field {
        "message_template_status_update" => {
            let info = value.get("other_info");
            let reason = value.text("reason").filter(|reason| reason != "NONE");
            let detail = joined([info.text("title"), info.text("description"), reason]);
            (name.map(|name| Subject::Template { name, language }), event, detail)
        }
        "message_template_quality_update" => {
            let detail = value.text("previous_quality_score").map(|score| format!("it was {score}"));
            (name.map(|name| Subject::TemplateQuality { name, language }), value.text("new_quality_score"), detail)
        }
        "phone_number_quality_update" => {
            let limit = value.text("current_limit").or_else(|| value.text("max_daily_conversations_per_business"));
            (Some(Subject::Number(value.id("display_phone_number"))), event, limit)
        }
        "account_update" | "account_alerts" => {
            let alert = value.get("alert_info");
            let restriction = value.list("restriction_info").next().and_then(|one| one.text("restriction_type"));
            let violation = value.get("violation_info").text("violation_type");
            let banned = value.get("ban_info").text("waba_ban_state");
            let detail = joined([restriction, violation, banned, alert.text("alert_description")]);
            (Some(Subject::Account(entry.id("id"))), event.or_else(|| alert.text("alert_type")), detail)
        }
        _ => return None,
    };
    let at = entry.instant("time").unwrap_or(received_at);
    Some(subject.zip(event).map(|(subject, event)| Notice { subject, event, detail, at }))
}

/// Errors that concern no message in particular.
pub(super) fn errors<'a>(
    entry: Node<'a>,
    value: Node<'a>,
    received_at: Timestamp,
) -> impl Iterator<Item = Notice> + use<'a> {
    value.list("errors").filter_map(move |error| {
        let detail = error.get("error_data").text("details").or_else(|| error.text("message"));
        let event = format!("error {}", error.number("code")?);
        let at = entry.instant("time").unwrap_or(received_at);
        Some(Notice { subject: Subject::Account(entry.id("id")), event, detail, at })
    })
}

fn joined<const N: usize>(parts: [Option<String>; N]) -> Option<String> {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Some(parts.join(", ")).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::super::{Notice, Subject, Update};
    use super::super::read;
    use crate::domain::Timestamp;

    fn notices(field: &str, value: &Value) -> Vec<(Subject, String, Option<String>)> {
        let body =
            json!({"entry": [{"id": "waba", "time": 1_796_047_200, "changes": [{"field": field, "value": value}]}]});
        let post = read(body.to_string().as_bytes(), "2026-11-30T15:00:00Z".parse().unwrap());
        let happened: Timestamp = "2026-11-30T14:00:00Z".parse().unwrap();
        let notice = |update| {
            let Update::Notice(Notice { subject, event, detail, at }) = update else { panic!("{update:?}") };
            assert_eq!(at, happened);
            (subject, event, detail)
        };
        post.updates.into_iter().map(notice).collect()
    }

    #[test]
    fn templates_numbers_and_accounts() {
        let (name, language) = ("welcome".to_owned(), Some("fr".to_owned()));
        let paused = json!({"event": "PAUSED", "message_template_id": 1, "message_template_name": "welcome",
                            "message_template_language": "fr", "reason": "NONE",
                            "other_info": {"title": "FIRST_PAUSE", "description": "for 3 hours"}});
        assert_eq!(
            notices("message_template_status_update", &paused),
            [(
                Subject::Template { name: name.clone(), language: language.clone() },
                "PAUSED".to_owned(),
                Some("FIRST_PAUSE, for 3 hours".to_owned())
            )]
        );
        let red = json!({"previous_quality_score": "YELLOW", "new_quality_score": "RED",
                         "message_template_name": "welcome", "message_template_language": "fr"});
        let subject = Subject::TemplateQuality { name, language };
        assert_eq!(
            notices("message_template_quality_update", &red),
            [(subject, "RED".to_owned(), Some("it was YELLOW".to_owned()))]
        );
        let number = json!({"display_phone_number": "237600000000", "event": "DOWNGRADE", "current_limit": "TIER_250"});
        let subject = Subject::Number(Some("237600000000".to_owned()));
        assert_eq!(
            notices("phone_number_quality_update", &number),
            [(subject, "DOWNGRADE".to_owned(), Some("TIER_250".to_owned()))]
        );
        let restricted = json!({"event": "ACCOUNT_RESTRICTION",
                                "restriction_info": [{"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING"}]});
        let subject = Subject::Account(Some("waba".to_owned()));
        let detail = Some("RESTRICTED_BIZ_INITIATED_MESSAGING".to_owned());
        assert_eq!(
            notices("account_update", &restricted),
            [(subject.clone(), "ACCOUNT_RESTRICTION".to_owned(), detail)]
        );
        let error = json!({"errors": [{"code": 130_429, "message": "Rate limit hit"}]});
        assert_eq!(
            notices("messages", &error),
            [(subject, "error 130429".to_owned(), Some("Rate limit hit".to_owned()))]
        );
    }

    #[test]
    fn a_notice_without_an_event_is_none() {
        assert_eq!(notices("message_template_status_update", &json!({"event": "PAUSED"})), []);
        assert_eq!(notices("account_update", &json!({})), []);
    }
}
