//! The text of a notification, and its body in each receiver's format.

use serde_json::json;

use crate::core::lifecycle::notification::Notification;

/// Returns the JSON body for a webhook.
pub(super) fn webhook(notice: &Notification) -> String {
    let several = notice.accounts > 1;
    json!({
        "id": notice.uid,
        "type": notice.topic,
        "notifier": notice.notifier,
        "text": text(notice),
        "campaign": notice.campaign,
        "account": notice.account.as_ref().filter(|_| !several),
        "accounts": notice.accounts,
        "events": notice.events,
        "folded": notice.folded,
        "actor": notice.actor,
        "reason": notice.reason,
        "sentence": notice.detail.to_string(),
        "revision": notice.revision,
        "first_at": notice.first_at,
        "last_at": notice.last_at,
    })
    .to_string()
}

/// Returns the JSON body for Slack, with its three special characters escaped.
pub(super) fn slack(notice: &Notification) -> String {
    let text = text(notice).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({"text": text}).to_string()
}

/// Returns the notification as a sentence.
fn text(notice: &Notification) -> String {
    let Notification { topic, campaign, account, accounts, events, folded, detail, .. } = notice;
    let sentence = match (campaign, topic.as_str().strip_prefix("run-")) {
        (Some(campaign), Some(what)) => {
            let accounts = match (accounts, account) {
                (1, Some(account)) => format!("account {account}"),
                _ => format!("{accounts} accounts"),
            };
            format!("{campaign} {what} for {accounts}: {detail}")
        }
        _ => detail.to_string(),
    };
    // One event for each account is the usual case, so no count is given.
    let times = (*events > (*accounts).max(1)).then(|| format!("{events} times"));
    let since = (*folded > 0).then(|| "since this was last told".to_owned());
    match times.into_iter().chain(since).collect::<Vec<_>>().as_slice() {
        [] => sentence,
        beside => format!("{sentence} ({})", beside.join(" ")),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{slack, text, webhook};
    use crate::core::domain::Period;
    use crate::core::lifecycle::detail::Detail;
    use crate::core::lifecycle::notification::Notification;
    use crate::core::manifest::desired::{Notifier, NotifierType, Secret, Topic};

    pub(in crate::channel::notify) fn notice() -> Notification {
        let at = "2026-11-30T08:00:00Z".parse().unwrap();
        Notification {
            id: 1,
            uid: "a-b-c".to_owned(),
            notifier: "team".to_owned(),
            topic: Topic::RunPaused,
            campaign: Some("winter".to_owned()),
            account: Some("a1".to_owned()),
            accounts: 100,
            events: 100,
            folded: 0,
            actor: None,
            reason: Some("subscription-expired".to_owned()),
            detail: Detail::SubscriptionExpired,
            revision: Some(3),
            first_at: at,
            last_at: at,
            attempts: 1,
            created_at: at,
            spec: Notifier {
                kind: NotifierType::Webhook,
                url: Secret::FromEnv("URL".to_owned()),
                secret: None,
                events: [Topic::RunPaused].into(),
                fold_for: Period::minutes(10),
            },
        }
    }

    #[test]
    fn a_notification_names_one_account_counts_many_and_marks_folding() {
        let many = notice();
        assert_eq!(text(&many), "winter paused for 100 accounts: the subscription of its account is over");
        let one = Notification { accounts: 1, events: 12, folded: 12, ..notice() };
        assert_eq!(
            text(&one),
            "winter paused for account a1: the subscription of its account is over (12 times since this was last told)"
        );
        let more = Notification { events: 100, folded: 100, ..notice() };
        assert_eq!(
            text(&more),
            "winter paused for 100 accounts: the subscription of its account is over (since this was last told)"
        );
        let plan = Notification {
            topic: Topic::PlanRefused,
            campaign: None,
            account: None,
            accounts: 0,
            events: 2,
            detail: Detail::PlanApproved { plan: "3f9c".to_owned(), reason: "<5 & gone>".to_owned() },
            ..notice()
        };
        assert_eq!(text(&plan), "approved plan 3f9c: <5 & gone> (2 times)");
        assert_eq!(slack(&plan), r#"{"text":"approved plan 3f9c: &lt;5 &amp; gone&gt; (2 times)"}"#);
    }

    #[test]
    fn the_webhook_body_of_a_notification_keeps_its_shape() {
        let body: serde_json::Value = serde_json::from_str(&webhook(&notice())).unwrap();
        insta::assert_json_snapshot!(body);
    }
}
