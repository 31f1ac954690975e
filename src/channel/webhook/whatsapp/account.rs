//! Meta's notices about templates, numbers and accounts.

use chrono::DateTime;

use super::meaning::{Restriction, of_account, of_number, of_template};
use crate::channel::webhook::node::{Node, digits};
use crate::channel::webhook::{Meaning, Notice};
use crate::core::domain::Timestamp;
use crate::core::lifecycle::detail::NoticeSubject;

/// Reads a change of `field`. Returns `None` for any other field, and `Some(None)` if the change names no event.
#[expect(clippy::option_option, reason = "not ours is another thing than not understood")]
pub(super) fn notice(field: &str, entry: Node<'_>, value: Node<'_>, received_at: Timestamp) -> Option<Option<Notice>> {
    let reported = match field {
        "message_template_status_update" => template_status(value),
        "message_template_quality_update" => template_quality(value),
        "phone_number_quality_update" => number_quality(value),
        "account_update" | "account_alerts" => account(entry, value),
        _ => return None,
    };
    let at = entry.instant("time").unwrap_or(received_at);
    Some(reported.map(|ReportedValue { subject, event, detail, meaning }| Notice {
        subject,
        event,
        detail,
        meaning,
        at,
    }))
}

/// A notice without its time.
struct ReportedValue {
    subject: NoticeSubject,
    event: String,
    detail: Option<String>,
    meaning: Meaning,
}

fn template_status(value: Node<'_>) -> Option<ReportedValue> {
    let (event, info) = (value.text("event")?, value.get("other_info"));
    let title = info.text("title");
    let meaning = of_template(&event, title.as_deref());
    let reason = value.text("reason").filter(|reason| reason != "NONE");
    let (name, language) = (value.id("message_template_name")?, value.id("message_template_language"));
    let detail = joined([title, info.text("description"), reason]);
    Some(ReportedValue { subject: NoticeSubject::Template { name, language }, event, detail, meaning })
}

fn template_quality(value: Node<'_>) -> Option<ReportedValue> {
    let (name, language) = (value.id("message_template_name")?, value.id("message_template_language"));
    let detail = value.text("previous_quality_score").map(|score| format!("it was {score}"));
    let event = value.text("new_quality_score")?;
    Some(ReportedValue {
        subject: NoticeSubject::TemplateQuality { name, language },
        event,
        detail,
        meaning: Meaning::Nothing,
    })
}

fn number_quality(value: Node<'_>) -> Option<ReportedValue> {
    let event = value.text("event")?;
    let detail = value.text("current_limit").or_else(|| value.text("max_daily_conversations_per_business"));
    let number = value.id("display_phone_number").map(|shown| digits(&shown));
    Some(ReportedValue { subject: NoticeSubject::Number { number }, meaning: of_number(&event), event, detail })
}

fn account(entry: Node<'_>, value: Node<'_>) -> Option<ReportedValue> {
    let alert = value.get("alert_info");
    let event = value.text("event").or_else(|| alert.text("alert_type"))?;
    let restriction = |one: Node<'_>| Some(Restriction { kind: one.text("restriction_type")?, until: end(one) });
    let restrictions: Vec<Restriction> = value.list("restriction_info").filter_map(restriction).collect();
    let banned = value.get("ban_info").text("waba_ban_state");
    let meaning = of_account(&event, banned.as_deref(), &restrictions);
    let kinds = restrictions.iter().map(|one| one.kind.as_str()).collect::<Vec<_>>().join(", ");
    let violation = value.get("violation_info").text("violation_type");
    let kinds = Some(kinds).filter(|kinds| !kinds.is_empty());
    let (client, partner) = (value.get("waba_info"), value.get("partner_client_certification_info"));
    let owner = client.text("owner_business_id").map(|id| format!("of the business {id}"));
    let status = partner.text("status");
    let detail = joined([kinds, violation, banned, alert.text("alert_description"), owner, status]);
    // One number may change hands while the other numbers of its account go on.
    let number = value.id("phone_number").filter(|_| matches!(&*event, "ACCOUNT_OFFBOARDED" | "ACCOUNT_RECONNECTED"));
    // A notice to a partner comes from the partner's own account, and names the one that it concerns.
    let concerned = client.id("waba_id").or_else(|| partner.id("client_business_id"));
    let subject = number.map_or_else(
        || NoticeSubject::Account { id: concerned.or_else(|| entry.id("id")) },
        |shown| NoticeSubject::Number { number: Some(digits(&shown)) },
    );
    Some(ReportedValue { subject, event, detail, meaning })
}

/// Returns the end of a restriction, which is in seconds or a date.
fn end(restriction: Node<'_>) -> Option<Timestamp> {
    let date = |text: String| {
        let read =
            DateTime::parse_from_rfc3339(&text).or_else(|_| DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%z"));
        read.ok().map(|date| date.to_utc())
    };
    restriction.instant("expiration").or_else(|| restriction.text("expiration").and_then(date))
}

/// Returns the errors that concern no particular message.
pub(super) fn errors<'a>(
    entry: Node<'a>,
    value: Node<'a>,
    received_at: Timestamp,
) -> impl Iterator<Item = Notice> + use<'a> {
    value.list("errors").filter_map(move |error| {
        let detail = error.get("error_data").text("details").or_else(|| error.text("message"));
        let event = format!("error {}", error.number("code")?);
        let at = entry.instant("time").unwrap_or(received_at);
        Some(Notice {
            subject: NoticeSubject::Account { id: entry.id("id") },
            event,
            detail,
            meaning: Meaning::Nothing,
            at,
        })
    })
}

fn joined<const N: usize>(parts: [Option<String>; N]) -> Option<String> {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Some(parts.join(", ")).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::channel::webhook::whatsapp::read;
    use crate::channel::webhook::{Meaning, Notice, Update};
    use crate::core::domain::Timestamp;
    use crate::core::lifecycle::detail::NoticeSubject;

    fn notices(field: &str, value: &Value) -> Vec<(NoticeSubject, String, Option<String>)> {
        let body =
            json!({"entry": [{"id": "waba", "time": 1_796_047_200, "changes": [{"field": field, "value": value}]}]});
        let post = read(body.to_string().as_bytes(), "2026-11-30T15:00:00Z".parse().unwrap());
        let happened: Timestamp = "2026-11-30T14:00:00Z".parse().unwrap();
        let notice = |update| {
            let Update::Notice(Notice { subject, event, detail, at, .. }) = update else { panic!("{update:?}") };
            assert_eq!(at, happened);
            (subject, event, detail)
        };
        post.updates.into_iter().map(notice).collect()
    }

    #[test]
    fn template_number_and_account_updates_are_read() {
        let (name, language) = ("welcome".to_owned(), Some("fr".to_owned()));
        let paused = json!({"event": "PAUSED", "message_template_id": 1, "message_template_name": "welcome",
                            "message_template_language": "fr", "reason": "NONE",
                            "other_info": {"title": "FIRST_PAUSE", "description": "for 3 hours"}});
        assert_eq!(
            notices("message_template_status_update", &paused),
            [(
                NoticeSubject::Template { name: name.clone(), language: language.clone() },
                "PAUSED".to_owned(),
                Some("FIRST_PAUSE, for 3 hours".to_owned())
            )]
        );
        let red = json!({"previous_quality_score": "YELLOW", "new_quality_score": "RED",
                         "message_template_name": "welcome", "message_template_language": "fr"});
        let subject = NoticeSubject::TemplateQuality { name, language };
        assert_eq!(
            notices("message_template_quality_update", &red),
            [(subject, "RED".to_owned(), Some("it was YELLOW".to_owned()))]
        );
        let number = json!({"display_phone_number": "237600000000", "event": "DOWNGRADE", "current_limit": "TIER_250"});
        let subject = NoticeSubject::Number { number: Some("237600000000".to_owned()) };
        assert_eq!(
            notices("phone_number_quality_update", &number),
            [(subject, "DOWNGRADE".to_owned(), Some("TIER_250".to_owned()))]
        );
        let restricted = json!({"event": "ACCOUNT_RESTRICTION",
                                "restriction_info": [{"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING"}]});
        let subject = NoticeSubject::Account { id: Some("waba".to_owned()) };
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
    fn restriction_ends_and_number_transfers_are_read() {
        let read = |value: &Value| {
            let body = json!({"entry": [{"id": "waba", "changes": [{"field": "account_update", "value": value}]}]});
            let post = read(body.to_string().as_bytes(), "2026-11-30T15:00:00Z".parse().unwrap());
            let [Update::Notice(notice)] = post.updates.as_slice() else { panic!("{post:?}") };
            (notice.subject.clone(), notice.meaning)
        };
        let restricted = |expiration: Value| {
            let kind = "RESTRICTED_BIZ_INITIATED_MESSAGING";
            let info = json!([{"restriction_type": kind, "expiration": expiration}]);
            read(&json!({"event": "ACCOUNT_RESTRICTION", "restriction_info": info})).1
        };
        let until = Some("2026-12-01T08:00:00Z".parse().unwrap());
        for expiration in [json!(1_796_112_000), json!("2026-12-01T09:00:00+0100"), json!("2026-12-01T08:00:00.000Z")] {
            assert_eq!(restricted(expiration.clone()), Meaning::Stop { until }, "{expiration}");
        }
        assert_eq!(restricted(json!("soon")), Meaning::Stop { until: None });
        let gone = json!({"event": "ACCOUNT_OFFBOARDED", "phone_number": "+237 600 000 000"});
        assert_eq!(
            read(&gone),
            (NoticeSubject::Number { number: Some("237600000000".to_owned()) }, Meaning::Stop { until: None })
        );
        let banned = json!({"event": "DISABLED_UPDATE", "phone_number": "237600000000", "ban_info": {"waba_ban_state": "REINSTATE"}});
        assert_eq!(read(&banned), (NoticeSubject::Account { id: Some("waba".to_owned()) }, Meaning::Lift));
    }

    #[test]
    fn a_notice_to_a_partner_names_the_account_that_it_concerns() {
        let client = json!({"waba_id": "client", "owner_business_id": "owner"});
        for event in ["PARTNER_ADDED", "PARTNER_REMOVED", "PARTNER_APP_INSTALLED", "PARTNER_APP_UNINSTALLED"] {
            let subject = NoticeSubject::Account { id: Some("client".to_owned()) };
            assert_eq!(
                notices("account_update", &json!({"event": event, "waba_info": client})),
                [(subject, event.to_owned(), Some("of the business owner".to_owned()))]
            );
        }
        let event = "PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE";
        let certified = json!({"event": event,
                               "partner_client_certification_info": {"client_business_id": 77, "status": "APPROVED"}});
        let subject = NoticeSubject::Account { id: Some("77".to_owned()) };
        assert_eq!(notices("account_update", &certified), [(subject, event.to_owned(), Some("APPROVED".to_owned()))]);
        let bare = notices("account_update", &json!({"event": "PARTNER_ADDED"}));
        assert_eq!(bare[0].0, NoticeSubject::Account { id: Some("waba".to_owned()) });
    }

    #[test]
    fn an_incomplete_account_update_is_ignored() {
        assert_eq!(notices("message_template_status_update", &json!({"event": "PAUSED"})), []);
        assert_eq!(notices("account_update", &json!({})), []);
    }
}
