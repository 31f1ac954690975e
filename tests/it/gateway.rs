//! The `http` channel against a server of its own: what the gateway gets, and what is said of each message.

use std::fs;
use std::net::TcpListener;
use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};
use relance::channel::{Channel, Http, Outcome, Reaction};
use relance::core::dispatch::OutgoingMessage;
use relance::core::dispatch::program::{Rendered, SpokenBy};
use relance::core::domain::{
    AccountId, CampaignId, Language, MessageKey, Name, Phone, ReferralId, TargetKey, Timestamp,
};
use relance::core::manifest::check;
use relance::core::manifest::desired::policy::AccountPolicy;
use relance::core::manifest::desired::{Channel as Spec, Media, MediaAt, MediaType};
use serde_json::json;

use crate::support::daemon::folder;
use crate::support::receiver::{Answer, Receiver};
use crate::support::trees::sources;

pub(crate) fn now() -> Timestamp {
    "2026-11-30T08:00:00Z".parse().unwrap()
}

/// Day 2 of somebody, in the name of an account that has a sender.
pub(crate) fn message(person: i64) -> OutgoingMessage {
    let target = TargetKey { account: AccountId(3), campaign: CampaignId(1), referral: ReferralId(person) };
    OutgoingMessage {
        key: MessageKey { target, day: 2 },
        phone: Phone::trusted(format!("+23767100{person:04}")),
        email: Some(format!("person-{person}@example.org")),
        content: Rendered {
            language: Language::parse("fr").unwrap(),
            spoken_by: SpokenBy::Recipient,
            subject: Some("Ça va, Paul ?".to_owned()),
            text: "Bonjour \"Paul\" \\o/\nÇa va ?\n.".to_owned(),
            media: Vec::new(),
            template: None,
        },
        in_conversation: false,
        attempts: 1,
        failed_days: 0,
        last: false,
        quota_date: NaiveDate::from_ymd_opt(2026, 11, 30).unwrap(),
        claimed_at: now(),
        lease: 1,
        channel: None,
        policy: Arc::new(AccountPolicy { sender: Some("aminata".to_owned()), ..AccountPolicy::default() }),
    }
}

/// The channel that a manifest with these settings describes.
pub(crate) fn spec(settings: &str) -> Spec {
    let yaml = format!("apiVersion: relance/v1\nkind: Channel\nmetadata: {{name: c}}\nspec:\n{settings}");
    let checked = check(&sources(&[("c.yaml", yaml.as_bytes())]));
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    checked.desired.channels[&Name::parse("c").unwrap()].clone()
}

fn channel(settings: &str) -> Http {
    let Spec::Http(spec) = spec(&format!("  type: http\n{settings}")) else { panic!() };
    Http::new(*spec)
}

/// To this server, with a plain body and whatever else.
fn to(receiver: &Receiver, more: &str) -> Http {
    channel(&format!(
        "  url: {}\n  body: '{{\"to\": {{{{ phone }}}}, \"text\": {{{{ text }}}}}}'\n{more}",
        receiver.url()
    ))
}

async fn one(channel: &Http, message: OutgoingMessage) -> Outcome {
    let [outcome] = &channel.hand_over(&[message], now()).await[..] else { panic!() };
    outcome.clone()
}

fn reaction(outcome: Outcome) -> Reaction {
    match outcome {
        Outcome::Refused(refusal) => refusal.reaction,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_gateway_receives_the_message_in_its_configured_format() {
    let receiver = Receiver::start();
    let dir = folder();
    let secret = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        format!("{{fromFile: {}}}", path.display())
    };
    let (key, password) = (secret("key", "hunter2\n"), secret("password", "hunter3"));
    let channel = channel(&format!(
        "  url: {}/{{{{ sender }}}}
  method: PUT
  headers: {{X-Api-Key: {key}, X-Region: eu}}
  basicAuth: {{username: relance, password: {password}}}
  body: |
    {{\"number\": {{{{ phone }}}}, \"text\": {{{{ text }}}}, \"ref\": {{{{ messageId }}}}, \"day\": {{{{ day }}}},
     \"of\": [{{{{ account }}}}, {{{{ language }}}}], \"media\": {{{{ media }}}}}}
  phoneFormat: jid
  messageId: /key/id
  idempotencyHeader: Idempotency-Key
",
        receiver.url()
    ));
    receiver.answer(&[Answer::Says(201, "x: y", r#"{"key": {"id": "3EB0"}}"#)]);
    let mut said = message(1);
    said.content.media =
        vec![Media { kind: MediaType::Image, at: MediaAt::Url("https://example.com/a.png".to_owned()), caption: None }];
    assert_eq!(one(&channel, said.clone()).await, Outcome::accepted("3EB0".to_owned()));
    let [request] = &receiver.take()[..] else { panic!() };
    assert_eq!(request.line, "PUT /hook/aminata");
    let wanted = json!({
        "number": "237671000001@c.us", "text": said.content.text, "ref": "relance.3.1.1.2", "day": 2, "of": [3, "fr"],
        "media": [{"type": "image", "url": "https://example.com/a.png", "caption": null}],
    });
    assert_eq!(request.json(), wanted);
    let header = |name: &str| request.headers.get(name).map_or("", String::as_str);
    assert_eq!((header("x-api-key"), header("x-region")), ("hunter2", "eu"));
    assert_eq!(header("authorization"), "Basic cmVsYW5jZTpodW50ZXIz");
    assert_eq!((header("content-type"), header("idempotency-key")), ("application/json", "relance.3.1.1.2"));
}

#[tokio::test]
async fn forms_and_addresses_are_percent_encoded() {
    let receiver = Receiver::start();
    let form = channel(&format!(
        "  url: {}\n  contentType: application/x-www-form-urlencoded\n  body: 'to={{{{ phone }}}}&text={{{{ text }}}}'\n",
        receiver.url()
    ));
    let get = channel(&format!("  url: '{}?to={{{{ phone }}}}&s={{{{ sender }}}}'\n  method: GET\n", receiver.url()));
    for channel in [&form, &get] {
        assert_eq!(one(channel, message(1)).await, Outcome::accepted("relance.3.1.1.2".to_owned()));
    }
    let [form, get] = &receiver.take()[..] else { panic!() };
    assert_eq!(form.body, "to=%2B237671000001&text=Bonjour%20%22Paul%22%20%5Co%2F%0A%C3%87a%20va%20%3F%0A.");
    assert_eq!(form.headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!((get.line.as_str(), get.body.as_str()), ("GET /hook?to=%2B237671000001&s=aminata", ""));
    assert!(!get.headers.contains_key("content-type"));
}

#[tokio::test]
async fn an_ambiguous_answer_is_unknown_and_an_unsent_message_is_retried() {
    let receiver = Receiver::start();
    let plain = to(&receiver, "  timeout: 1s\n");
    let safe = to(&receiver, "  timeout: 1s\n  idempotencyHeader: idempotency-key\n");
    for answer in [Answer::HangUp, Answer::Silence, Answer::Status(500), Answer::Status(408)] {
        receiver.answer(&[answer]);
        assert!(matches!(one(&plain, message(1)).await, Outcome::Unknown { .. }), "{answer:?}");
        assert_eq!(receiver.take().len(), 1);
        // Where an id is taken once only it is asked for again, and only a yes counts.
        receiver.answer(&[answer, Answer::Status(400), Answer::Status(200)]);
        assert!(matches!(one(&safe, message(1)).await, Outcome::Accepted { .. }), "{answer:?}");
        assert_eq!(receiver.take().len(), 3);
        receiver.answer(&[answer, Answer::Status(400), Answer::Status(429)]);
        assert!(matches!(one(&safe, message(1)).await, Outcome::Unknown { .. }), "{answer:?}");
        assert_eq!(receiver.take().len(), 3);
    }
    // Somebody had this port a moment ago.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = channel(&format!("  url: http://{gone}\n  body: '{{}}'\n"));
    assert_eq!(reaction(one(&gone, message(1)).await), Reaction::Retry { after: None });
}

#[tokio::test]
async fn rate_limits_slow_the_lane_and_access_errors_pause_the_channel() {
    let receiver = Receiver::start();
    let plain = to(&receiver, "");
    let throttle = |seconds| Reaction::Throttle { after: Some(TimeDelta::seconds(seconds)) };
    let date = "date: Mon, 30 Nov 2026 08:00:00 GMT\r\nretry-after: Mon, 30 Nov 2026 08:02:00 GMT";
    for (answer, wanted) in [
        (Answer::Says(429, "retry-after: 30", ""), throttle(30)),
        (Answer::Says(503, date, ""), throttle(120)),
        (Answer::Status(429), Reaction::Throttle { after: None }),
        (Answer::Status(401), Reaction::PauseChannel),
        (Answer::Status(403), Reaction::PauseChannel),
        (Answer::Says(302, "location: /elsewhere", ""), Reaction::PauseChannel),
        (Answer::Status(400), Reaction::FailDay),
        (Answer::Duplicate, Reaction::FailDay),
    ] {
        receiver.answer(&[answer]);
        assert_eq!(reaction(one(&plain, message(1)).await), wanted, "{answer:?}");
    }
    // No redirect was followed.
    assert_eq!(receiver.take().len(), 8);
    // Where each account has an instance of its own, one of them that lost its session stops no other.
    let instances = channel(&format!("  url: '{}/{{{{ sender }}}}'\n  body: '{{}}'\n", receiver.url()));
    for status in [401, 403, 404] {
        receiver.answer(&[Answer::Status(status)]);
        assert_eq!(reaction(one(&instances, message(1)).await), Reaction::PauseAccount, "{status}");
    }
}

/// Old gateways of SMS answer with text, and with 200 whatever happened.
#[tokio::test]
async fn text_rules_classify_the_errors_of_plain_text_gateways() {
    let receiver = Receiver::start();
    let text = to(
        &receiver,
        "  errors:
    - {contains: 'ERR 105', means: pauseChannel}
    - {contains: 'ERR 110', means: suppress}
    - {status: 200, contains: ERR, means: fail}
",
    );
    let said = |status, words| Answer::Says(status, "content-type: text/plain", words);
    for (answer, wanted) in [
        (said(200, "ERR 105: insufficient credit"), Reaction::PauseChannel),
        (said(200, "err 110: opted out"), Reaction::Suppress),
        (said(200, "ERR 7"), Reaction::FailDay),
        (said(402, "ERR 110"), Reaction::Suppress),
    ] {
        receiver.answer(&[answer]);
        assert_eq!(reaction(one(&text, message(1)).await), wanted, "{answer:?}");
    }
    // Such a text may repeat the request, so the error has only the words of the rule.
    receiver.answer(&[said(200, "ERR 105 for +237671000001")]);
    let wanted = Outcome::refused("answered 200, with `ERR 105`", Reaction::PauseChannel);
    assert_eq!(one(&text, message(1)).await, wanted);
    receiver.answer(&[said(200, "OK 17")]);
    assert!(matches!(one(&text, message(1)).await, Outcome::Accepted { .. }));
}

#[tokio::test]
async fn an_unsendable_message_is_refused_without_a_provider_call() {
    let receiver = Receiver::start();
    let mut with_media = message(1);
    with_media.content.media =
        vec![Media { kind: MediaType::Image, at: MediaAt::Url("https://example.com/a.png".to_owned()), caption: None }];
    assert_eq!(reaction(one(&to(&receiver, ""), with_media).await), Reaction::Unfit);
    let nobody = OutgoingMessage { policy: Arc::default(), ..message(1) };
    let by_sender = channel(&format!("  url: '{}/{{{{ sender }}}}'\n  body: '{{}}'\n", receiver.url()));
    assert_eq!(reaction(one(&by_sender, nobody).await), Reaction::PauseAccount);
    let unset = to(&receiver, "  headers: {authorization: {fromEnv: RELANCE_NOBODY_SETS_THIS}}\n");
    assert_eq!(reaction(one(&unset, message(1)).await), Reaction::PauseChannel);
    assert_eq!(receiver.take().len(), 0);
}

#[tokio::test]
async fn no_error_repeats_a_secret_or_a_phone() {
    let receiver = Receiver::start();
    let dir = folder();
    let path = dir.path().join("key");
    fs::write(&path, "hunter2").unwrap();
    let channel = to(&receiver, &format!("  headers: {{apikey: {{fromFile: {}}}}}\n", path.display()));
    receiver.answer(&[Answer::Says(400, "x: y", r#"{"message": "hunter2 may not write to +237671000001"}"#)]);
    let outcome = one(&channel, message(1)).await;
    assert_eq!(outcome, Outcome::refused("answered 400: … may not write to …", Reaction::FailDay));
}
