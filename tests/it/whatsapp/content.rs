//! The content of requests: texts, templates, media, and content that is refused without a call.

use std::sync::Arc;

use relance::channel::fake_graph::{Accepted, ApiError, Fault};
use relance::channel::{Channel, Outcome, Reaction};
use relance::core::dispatch::OutgoingMessage;
use relance::core::domain::InstallationId;
use relance::core::manifest::desired::{Button, ButtonType, Header, MediaType, Parameters};
use serde_json::{Value, json};

use super::{Meta, NUMBER, asks_for, is_accepted, message, now, phone, plain, with_media};

#[tokio::test]
async fn an_accepted_message_carries_our_key_and_the_installation() {
    let meta = Meta::new().await;
    let outcome = meta.one(message(7)).await;
    let ledger = meta.fake_graph.ledger();
    let [Accepted { id, key, number, to, at, marketing, .. }] = &ledger[..] else { panic!("{ledger:?}") };
    assert_eq!(outcome, Outcome::accepted(id.clone()));
    assert_eq!((key.as_str(), number.as_str(), to.as_str()), ("relance.3.1.7.2", NUMBER, "+237671000007"));
    assert_eq!((at.date_naive(), *marketing), (now().date_naive(), false));
    // An installation that has an id says so.
    let channel = meta.channel().for_installation(InstallationId::parse("5f0c33a1").unwrap());
    assert!(is_accepted(&channel.hand_over(&[message(8)], now()).await[0]));
    assert_eq!(meta.fake_graph.ledger()[1].key, "relance.5f0c33a1.3.1.8.2");
}

#[tokio::test]
async fn people_who_wrote_get_the_text_and_others_the_template() {
    let mut meta = Meta::new().await;
    meta.writes(&phone(2));
    let image = [(MediaType::Image, "https://example.com/a.png")];
    let document = [(MediaType::Document, "https://example.com/b/offre.pdf?v=2")];
    let mut messages = vec![message(1), message(2), with_media(message(1), &image), with_media(message(2), &image)];
    messages.extend([with_media(message(2), &document), plain(2)]);
    let outcomes = meta.hand_over(&messages).await;
    assert!(outcomes.iter().all(is_accepted), "{outcomes:?}");
    // Calls go side by side; what is told of a message is what became of that one.
    let mut by_id: Vec<Value> = Vec::new();
    for outcome in &outcomes {
        let Outcome::Accepted { provider_id, .. } = outcome else { panic!() };
        by_id.push(meta.fake_graph.ledger().into_iter().find(|one| one.id == *provider_id).unwrap().body);
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&by_id).unwrap());
}

#[tokio::test]
async fn template_headers_buttons_and_uploads_follow_the_documented_format() {
    let mut meta = Meta::new().await;
    meta.writes(&phone(2));
    let mut all = message(1);
    let button = |index, kind, value: &str| Button { index, kind, value: value.to_owned() };
    let template = all.content.template.as_mut().unwrap();
    template.header = Some(Header::Plain("Bonjour Paul".to_owned()));
    template.buttons = vec![
        button(0, ButtonType::QuickReply, "STOP"),
        button(1, ButtonType::Url, "offre/7?a=b c"),
        button(3, ButtonType::CopyCode, "RELANCE7"),
    ];
    let kinds = [MediaType::Image, MediaType::Video, MediaType::Document];
    let uploads = kinds.map(|kind| [1, 2].map(|person| with_media(message(person), &[(kind, "1013859600285441")])));
    // The medium is the header, whatever else was meant to be.
    let mut both = with_media(message(1), &[(MediaType::Image, "1013859600285441")]);
    both.content.template.as_mut().unwrap().header = Some(Header::Plain("Paul".to_owned()));
    let messages: Vec<OutgoingMessage> = [all].into_iter().chain(uploads.into_iter().flatten()).chain([both]).collect();
    let mut bodies = Vec::new();
    for message in messages {
        let outcome = meta.one(message).await;
        assert!(is_accepted(&outcome), "{outcome:?}");
        let mut body = meta.bodies().pop().unwrap();
        bodies.push(body["type"].as_str().map(str::to_owned).map(|kind| body[kind].take()).unwrap());
    }
    insta::assert_snapshot!(bodies.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn content_that_whatsapp_would_refuse_makes_no_call() {
    let mut meta = Meta::new().await;
    meta.writes(&phone(2));
    let film = (MediaType::Video, "https://example.com/a.mp4");
    let mut long = plain(2);
    long.content.text = "é".repeat(4_097);
    let mut caption = with_media(plain(2), &[film]);
    caption.content.text = "é".repeat(1_025);
    let mut nameless = message(1);
    nameless.policy = Arc::default();
    let mut odd = message(1);
    odd.policy = Arc::new(relance::core::manifest::desired::policy::AccountPolicy {
        sender: Some("1/../2".to_owned()),
        ..Default::default()
    });
    let messages = [
        plain(1),
        long,
        caption,
        with_media(plain(2), &[film, film]),
        with_media(message(1), &[(MediaType::Audio, "https://example.com/a.ogg")]),
        nameless,
        odd,
    ];
    let outcomes = meta.hand_over(&messages).await;
    let told: Vec<String> = outcomes.iter().map(|outcome| format!("{outcome:?}")).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    Refused(Refusal { error: "this day has no `whatsappTemplate`, and without one WhatsApp takes messages only to people who wrote within the last 24 hours", reaction: Unfit })
    Refused(Refusal { error: "the text has 4097 characters; WhatsApp takes 4096 at most", reaction: Unfit })
    Refused(Refusal { error: "the text below a medium has 1025 characters; WhatsApp takes 1024 at most", reaction: Unfit })
    Refused(Refusal { error: "WhatsApp takes one picture, film or document with a text, and no recording", reaction: Unfit })
    Refused(Refusal { error: "WhatsApp takes one picture, film or document with a text, and no recording", reaction: Unfit })
    Refused(Refusal { error: "no number to send by: the account has no `sender`, and the channel no `phoneNumberId`", reaction: PauseAccount })
    Refused(Refusal { error: "the `sender` `1/../2` is not the id of a number, which is all digits", reaction: PauseAccount })
    "#);
    assert_eq!(meta.fake_graph.traffic().calls, 0);
}

#[tokio::test]
async fn a_template_that_meta_does_not_have_pauses_the_run() {
    let meta = Meta::new().await;
    meta.behave(|behaviour| behaviour.templates = Some([("relance_2".to_owned(), 2)].into()));
    let mut unknown = message(1);
    unknown.content.template.as_mut().unwrap().name = "relance_9".to_owned();
    let mut one_short = message(2);
    one_short.content.template.as_mut().unwrap().parameters = Parameters::Numbered(vec!["Paul".to_owned()]);
    let outcomes = meta.hand_over(&[unknown, one_short, message(3)]).await;
    assert_eq!([&outcomes[0], &outcomes[1]].map(asks_for), [Some(Reaction::PauseRun); 2]);
    assert!(is_accepted(&outcomes[2]));
    assert_eq!(meta.bodies()[0]["template"]["language"], json!({"code": "pt_BR"}));
}

#[tokio::test]
async fn named_parameters_go_with_their_names() {
    let meta = Meta::new().await;
    let mut named = message(1);
    let template = named.content.template.as_mut().unwrap();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    template.header = Some(Header::Named([pair("who", "Paul")].into()));
    template.parameters = Parameters::Named([pair("first", "Paul"), pair("city", "Douala")].into());
    let outcome = meta.one(named).await;
    assert!(is_accepted(&outcome), "{outcome:?}");
    assert_eq!(
        meta.bodies()[0]["template"]["components"],
        json!([
            {"type": "header", "parameters": [{"type": "text", "parameter_name": "who", "text": "Paul"}]},
            {"type": "body", "parameters": [
                {"type": "text", "parameter_name": "city", "text": "Douala"},
                {"type": "text", "parameter_name": "first", "text": "Paul"},
            ]},
        ])
    );
}

#[tokio::test]
async fn a_value_that_meta_would_refuse_fails_one_persons_day_without_a_call() {
    let mut meta = Meta::new().await;
    meta.writes(&phone(2));
    let with = |change: &dyn Fn(&mut relance::core::manifest::desired::TemplateMessage)| {
        let mut message = message(1);
        change(message.content.template.as_mut().unwrap());
        message
    };
    let numbered = |value: &str| Parameters::Numbered(vec!["Paul".to_owned(), value.to_owned()]);
    let code = |value: &str| vec![Button { index: 0, kind: ButtonType::CopyCode, value: value.to_owned() }];
    let mut blank_text = plain(2);
    blank_text.content.text = " \u{200b}\n".to_owned();
    let unfit = [
        with(&|template| template.parameters = numbered("")),
        with(&|template| template.parameters = numbered(" \u{a0}\t")),
        with(&|template| template.parameters = numbered("\u{200b}\u{feff}")),
        with(&|template| template.parameters = numbered(&"é".repeat(1_025))),
        with(&|template| template.header = Some(Header::Plain("é".repeat(61)))),
        with(&|template| template.header = Some(Header::Named([("who".to_owned(), String::new())].into()))),
        with(&|template| template.buttons = code("1234567890123456")),
        blank_text,
    ];
    let outcomes = meta.hand_over(&unfit).await;
    assert!(outcomes.iter().all(|outcome| asks_for(outcome) == Some(Reaction::Unfit)), "{outcomes:?}");
    assert_eq!(meta.fake_graph.traffic().calls, 0);
    // The longest values that Meta takes go out.
    let fits = [
        with(&|template| template.parameters = numbered(&"é".repeat(1_020))),
        with(&|template| template.header = Some(Header::Plain("é".repeat(60)))),
        with(&|template| template.buttons = code("123456789012345")),
    ];
    let outcomes = meta.hand_over(&fits).await;
    assert!(outcomes.iter().all(is_accepted), "{outcomes:?}");
}

#[tokio::test]
async fn a_value_that_meta_refuses_all_the_same_concerns_that_person_alone() {
    let meta = Meta::new().await;
    let details = |code, details: &str| ApiError { details: details.to_owned(), ..ApiError::new(code, "said so") };
    for (error, reaction) in [
        (details(131_008, "Required parameter is missing"), Reaction::Unfit),
        (details(132_005, "header text exceeds 60"), Reaction::Unfit),
        (details(100, "Parameter 'text' is mandatory for component parameter type 'text'"), Reaction::Unfit),
        (details(100, "Parameter name is missing or empty"), Reaction::PauseRun),
    ] {
        meta.fail_next(Fault::Error(error.clone()));
        assert_eq!(asks_for(&meta.one(message(1)).await), Some(reaction), "{error:?}");
    }
}
