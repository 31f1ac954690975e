//! Every detail: its sentence, its stored form, and what becomes of a form that this version does not know.

use serde_json::{Value, json};

use super::{Changes, Detail, Facts, NoticeSubject, Phones, Refusal, TestMessage, TestOutcome};
use crate::core::lifecycle::message::State;
use crate::core::lifecycle::overrides::Action;
use crate::core::lifecycle::run::Phase;
use crate::core::manifest::Kind;
use crate::core::manifest::desired::{Defect, Topic};

fn text(text: &str) -> String {
    text.to_owned()
}

fn ordered() -> Detail {
    let until = Some("2026-12-01T10:00:00Z".parse().unwrap());
    Detail::Ordered { order: 7, action: Action::Pause, actor: text("maria"), reason: text("audit"), until }
}

/// Phases and orders of runs.
fn of_runs() -> Vec<Detail> {
    let at = "2026-12-01T08:00:00Z".parse().unwrap();
    let campaign = || text("winter");
    vec![
        Detail::None,
        Detail::JustCreated,
        Detail::ManifestGone,
        Detail::CancelledInManifest,
        Detail::PausedInManifest,
        Detail::BackToDraft,
        Detail::Draft,
        Detail::NotSelected,
        Detail::StartsAt { at },
        Detail::EndedAt { at },
        Detail::Drained,
        Detail::Running,
        Detail::EnrollmentOff,
        Detail::SendingOff,
        Detail::EnrollmentAndSendingOff,
        Detail::SubscriptionExpired,
        Detail::Disconnected,
        Detail::LookingAhead,
        Detail::NobodyMatches,
        Detail::PeopleBusy,
        Detail::OutlivesSubscription { finish: Some(at), end: at },
        Detail::OutlivesSubscription { finish: None, end: at },
        Detail::QueuedBehind { campaign: campaign(), phase: Phase::Draft },
        Detail::QueuedBehind { campaign: campaign(), phase: Phase::Active },
        Detail::BehindUnreadableQueue,
        Detail::MakesWay { campaign: campaign(), returns: false },
        Detail::MakesWay { campaign: campaign(), returns: true },
        ordered(),
        Detail::Ordered { order: 8, action: Action::Start, actor: text("maria"), reason: text("a fair"), until: None },
        Detail::OrderCleared { actor: text("maria") },
        Detail::Reopened { actor: text("maria"), reason: text("more people") },
        Detail::OrderTimeOver,
        Detail::OrderExpired { order: Box::new(ordered()) },
        Detail::AfterOrder { end: Box::new(Detail::OrderTimeOver), then: Box::new(Detail::Running) },
        Detail::ChannelResumed { channel: text("wa"), actor: text("maria"), reason: text("a new token") },
    ]
}

/// Faults and restrictions.
fn of_faults() -> Vec<Detail> {
    let refused = || Detail::Refused { text: text("190: no token") };
    let notice = |subject, words: Option<&str>| Detail::ProviderNotice {
        channel: text("wa"),
        subject,
        event: text("PAUSED"),
        text: words.map(text),
    };
    let template = || (text("welcome"), Some(text("fr")));
    let unusable = |defect| Detail::StoredUnusable { kind: Kind::Sequence, name: text("days"), defect };
    vec![
        unusable(Defect::Format { found: 2, known: 1 }),
        unusable(Defect::UnknownField { field: text("limits.zeal") }),
        unusable(Defect::Malformed { text: text("missing field `days`") }),
        unusable(Defect::Uncompilable { day: 2, text: text("unexpected end of input") }),
        Detail::NotRendered { text: text("day 2 in `fr`: `attributes.city` is not defined") },
        refused(),
        Detail::TemplateRefused { template: text("welcome"), language: text("fr") },
        Detail::ChannelStopped { channel: text("wa"), why: Box::new(refused()) },
        Detail::Failures { failed: 3, handed: 25 },
        Detail::OptOuts { people: 1, handed: 20 },
        Detail::OptOuts { people: 2, handed: 20 },
        notice(NoticeSubject::Template { name: template().0, language: template().1 }, Some("FIRST_PAUSE")),
        notice(NoticeSubject::Template { name: template().0, language: None }, None),
        notice(NoticeSubject::TemplateQuality { name: template().0, language: template().1 }, None),
        notice(NoticeSubject::Number { number: Some(text("237600000000")) }, None),
        notice(NoticeSubject::Number { number: None }, None),
        notice(NoticeSubject::Account { id: Some(text("77")) }, Some("DISABLE")),
        notice(NoticeSubject::Account { id: None }, None),
    ]
}

/// Manifests, plans, facts, people and messages.
fn of_others() -> Vec<Detail> {
    let phones = ["+237671000001", "+237671000002", "+237671000003", "+237671000004"];
    let test = |channel: Option<&str>| TestMessage {
        day: 2,
        campaign: text("winter"),
        phone: text("+2376*****01"),
        channel: channel.map(text),
    };
    let name = || text("winter");
    let commit = Some(text("0123456789abcdef"));
    let changes = Changes { renamed: 1, created: 2, ..Changes::default() };
    vec![
        Detail::RevisionApplied { revision: 3, commit, changes },
        Detail::RevisionApplied { revision: 3, commit: None, changes: Changes::default() },
        Detail::PlanRefused { plan: text("3f9c"), refusal: Refusal::EmptyTree },
        Detail::PlanRefused { plan: text("3f9c"), refusal: Refusal::MassCancel { cancelled: 30, live: 42 } },
        Detail::PlanApproved { plan: text("3f9c"), reason: text("the season is over") },
        Detail::ManifestFrozen { kind: Kind::Campaign, name: name(), in_force: true, why: vec![text("a"), text("b")] },
        Detail::ManifestFrozen { kind: Kind::Campaign, name: name(), in_force: false, why: vec![] },
        Detail::StoredFrozen { kind: Kind::Campaign, name: name(), why: vec![text("a"), text("b")] },
        Detail::ManifestKept { kind: Kind::Campaign, name: name(), why: text("`relance/prune` is `disabled`") },
        Detail::ManifestThawed { kind: text("Campaign"), name: name() },
        Detail::Imported {
            facts: Facts::Accounts,
            inserted: 1,
            updated: 2,
            unchanged: 3,
            rejected: 4,
            opted_out: 0,
            paid: 0,
            held: 0,
        },
        Detail::Imported {
            facts: Facts::Referrals,
            inserted: 1,
            updated: 2,
            unchanged: 3,
            rejected: 4,
            opted_out: 1,
            paid: 2,
            held: 1,
        },
        Detail::Suppressed { phones: Phones::of(&phones[..2]), reason: Some(text("a mail")) },
        Detail::Suppressed { phones: Phones::of(&phones), reason: None },
        Detail::Unsuppressed { phones: Phones::of(&phones[..1]), reason: text("a mistake") },
        Detail::ReplyHeld { phone: text("+2376*****01") },
        Detail::NumberChanged { phone: text("+2376*****01") },
        Detail::RowsHeld { people: 1 },
        Detail::RowsHeld { people: 3 },
        Detail::ReplyReleased { phone: text("+2376*****01"), reason: Some(text("a joke")) },
        Detail::ContactErased { rows: 2, messages: 5, reason: text("a letter") },
        Detail::MessageResolved { message: text("winter/a1/r1/2"), state: State::Sent, reason: None },
        Detail::MessagesResolved { messages: 9, state: State::Failed, reason: Some(text("an outage")) },
        Detail::TestBegun { test: test(Some("wa")) },
        Detail::TestEnded { test: test(None), outcome: TestOutcome::Accepted, error: None },
        Detail::TestEnded { test: test(None), outcome: TestOutcome::Refused, error: Some(text("190")) },
        Detail::TestEnded { test: test(None), outcome: TestOutcome::Unknown, error: Some(text("no answer")) },
        Detail::NotificationGivenUp {
            notifier: text("team"),
            topic: Topic::PlanRefused,
            detail: Box::new(Detail::Running),
            attempts: 9,
            error: text("answered 404 Not Found"),
        },
    ]
}

fn all() -> Vec<Detail> {
    [of_runs(), of_faults(), of_others()].concat()
}

/// The sentence and the stored form of every detail. The stored form of a code must not change.
#[test]
fn every_detail_has_a_sentence_and_a_stored_form() {
    let lines: Vec<String> =
        all().iter().map(|detail| format!("{detail}\n    {}", serde_json::to_value(detail).unwrap())).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn every_detail_survives_a_storage_round_trip() {
    for detail in all() {
        let stored = serde_json::to_value(&detail).unwrap();
        assert_eq!(serde_json::from_value::<Detail>(stored).unwrap(), detail);
    }
}

/// A newer version may have written them, or a hand.
#[test]
fn an_unknown_detail_is_shown_and_saved_unchanged() {
    let strange = [
        json!({"code": "teleported", "to": "Mars"}),
        json!({"code": "starts-at"}),
        json!({"code": "failures", "failed": "many", "handed": 3}),
        json!("words"),
        Value::Null,
    ];
    for stored in strange {
        let detail: Detail = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!(detail, Detail::Unknown(stored.clone()));
        assert_eq!(serde_json::to_value(&detail).unwrap(), stored);
        assert_eq!(detail.to_string(), format!("this version does not know the stored detail {stored}"));
    }
    let inside = json!({"code": "channel-stopped", "channel": "wa", "why": {"code": "teleported"}});
    let detail: Detail = serde_json::from_value(inside).unwrap();
    let shown = detail.to_string();
    assert_eq!(shown, r#"channel `wa`: this version does not know the stored detail {"code":"teleported"}"#);
}

#[test]
fn a_detail_masks_few_phones_and_counts_many() {
    let phones = ["+237671000001", "+237671000002", "+237671000003", "+237671000004"];
    assert_eq!(Phones::of(&phones[..2]).to_string(), "+2376*****01, +2376*****02");
    assert_eq!(Phones::of(&phones).to_string(), "4 phones");
}
