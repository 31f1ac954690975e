//! The WhatsApp channel against a stand-in for the Graph API: what is said of each message is what became of it there.

use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use chrono::NaiveDate;
use relance::channel::fake_graph::{Accepted, ApiError, Behaviour, Clock, FakeGraph, Fault, Order};
use relance::channel::whatsapp::{WhatsappCloud, reaction};
use relance::channel::{Channel, Outcome, Reaction};
use relance::core::dispatch::OutgoingMessage;
use relance::core::dispatch::program::{Rendered, SpokenBy};
use relance::core::domain::{
    AccountId, CampaignId, InstallationId, Language, MessageKey, Period, Phone, ReferralId, TargetKey, Timestamp,
};
use relance::core::manifest::desired::{
    Button, ButtonType, Media, MediaAt, MediaType, Secret, WhatsappCloud as Spec, WhatsappTemplate,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::daemon::folder;

const TOKEN: &str = "EAAGm0PX4ZCpsBA";
const NUMBER: &str = "106540352242922";

fn now() -> Timestamp {
    "2026-11-30T08:00:00Z".parse().unwrap()
}

/// A stand-in, a folder with the token, and what a manifest says of them.
struct Meta {
    fake_graph: FakeGraph,
    dir: TempDir,
    spec: Spec,
    /// Phones of those who wrote lately.
    wrote: HashSet<String>,
}

impl Meta {
    async fn new() -> Self {
        let behaviour = Behaviour { token: Some(TOKEN.to_owned()), ..Behaviour::default() };
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let fake_graph = FakeGraph::start(anywhere, Clock::new(now(), 1.0), behaviour).await.unwrap();
        let dir = folder();
        let path = dir.path().join("token");
        fs::write(&path, format!("{TOKEN}\n")).unwrap();
        let spec = Spec {
            phone_number_id: None,
            business_account_id: None,
            access_token: Secret::FromFile(path.to_str().unwrap().to_owned()),
            app_secret: None,
            verify_token: None,
            base_url: fake_graph.url(),
            api_version: "v26.0".to_owned(),
            timeout: Period::seconds(10),
            connect_timeout: Period::seconds(5),
            concurrency: 64,
        };
        Self { fake_graph, dir, spec, wrote: HashSet::new() }
    }

    fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        let mut behaviour = Behaviour { token: Some(TOKEN.to_owned()), ..Behaviour::default() };
        change(&mut behaviour);
        self.fake_graph.order(Order::Behave(behaviour));
    }

    /// Somebody writes, and we come to know.
    fn writes(&mut self, phone: &str) {
        let (number, phone, text) = (NUMBER.to_owned(), phone.to_owned(), "Bonjour".to_owned());
        self.wrote.insert(phone.clone());
        self.fake_graph.order(Order::Inbound { number, phone, text });
    }

    fn fail_next(&self, fault: Fault) {
        self.fake_graph.order(Order::FailNext { calls: 1, fault });
    }

    fn channel(&self) -> WhatsappCloud {
        WhatsappCloud::new(self.spec.clone())
    }

    async fn hand_over(&self, messages: &[OutgoingMessage]) -> Vec<Outcome> {
        let claimed = |message: &OutgoingMessage| {
            let in_conversation = self.wrote.contains(message.phone.as_str());
            OutgoingMessage { in_conversation, ..message.clone() }
        };
        let messages: Vec<_> = messages.iter().map(claimed).collect();
        self.channel().hand_over(&messages, now()).await
    }

    async fn one(&self, message: OutgoingMessage) -> Outcome {
        let [outcome] = &self.hand_over(&[message]).await[..] else { panic!() };
        outcome.clone()
    }

    fn bodies(&self) -> Vec<Value> {
        self.fake_graph.ledger().into_iter().map(|accepted| accepted.body).collect()
    }
}

fn phone(person: i64) -> String {
    format!("+23767100{person:04}")
}

/// Day 2 of somebody, with a template, in the name of an account that has a number of its own.
fn message(person: i64) -> OutgoingMessage {
    let target = TargetKey { account: AccountId(3), campaign: CampaignId(1), referral: ReferralId(person) };
    let language = Language::parse("fr").unwrap();
    let template = WhatsappTemplate {
        name: "relance_2".to_owned(),
        language: Language::parse("pt-BR").unwrap(),
        header: None,
        parameters: vec!["Paul".to_owned(), "Aminata".to_owned()],
        buttons: vec![],
    };
    let policy = relance::core::manifest::desired::policy::AccountPolicy {
        sender: Some(NUMBER.to_owned()),
        ..Default::default()
    };
    OutgoingMessage {
        lease: 1,
        channel: None,
        key: MessageKey { target, day: 2 },
        phone: Phone::trusted(phone(person)),
        email: None,
        content: Rendered {
            language,
            spoken_by: SpokenBy::Recipient,
            subject: None,
            text: "Bonjour Paul, ça va ?".to_owned(),
            media: Vec::new(),
            template: Some(template),
        },
        attempts: 1,
        failed_days: 0,
        last: false,
        in_conversation: false,
        quota_date: NaiveDate::from_ymd_opt(2026, 11, 30).unwrap(),
        claimed_at: now(),
        policy: Arc::new(policy),
    }
}

/// The same day without a template.
fn plain(person: i64) -> OutgoingMessage {
    let mut message = message(person);
    message.content.template = None;
    message
}

fn with_media(mut message: OutgoingMessage, media: &[(MediaType, &str)]) -> OutgoingMessage {
    let at = |at: &str| {
        if at.contains(':') { MediaAt::Url(at.to_owned()) } else { MediaAt::Id(at.to_owned()) }
    };
    let medium = |(kind, place): &(MediaType, &str)| Media { kind: *kind, at: at(place), caption: None };
    message.content.media = media.iter().map(medium).collect();
    message
}

fn error(code: i64) -> Fault {
    Fault::Error(ApiError::new(code, "said so"))
}

fn is_accepted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted { .. })
}

fn is_unknown(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unknown { .. })
}

fn asks_for(outcome: &Outcome) -> Option<Reaction> {
    match outcome {
        Outcome::Refused(refusal) => Some(refusal.reaction),
        Outcome::Accepted { .. } | Outcome::Unknown { .. } => None,
    }
}

#[tokio::test]
async fn no_error_names_a_person_or_lets_one_in() {
    let meta = Meta::new().await;
    meta.fail_next(Fault::Error(ApiError::new(131_026, format!("+237671000009, 237671000009 by {TOKEN}"))));
    let Outcome::Refused(refusal) = meta.one(message(9)).await else { panic!() };
    assert_eq!(refusal.error, "131026: …, … by …");
}

#[tokio::test]
async fn what_is_accepted_is_in_the_ledger_under_our_name() {
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
async fn templates_go_to_strangers_and_texts_to_those_who_wrote() {
    let mut meta = Meta::new().await;
    meta.writes(&phone(2));
    let image = [(MediaType::Image, "https://example.com/a.png")];
    let document = [(MediaType::Document, "https://example.com/b/offre.pdf?v=2")];
    let mut messages = vec![message(1), message(2), with_media(message(1), &image), with_media(message(2), &image)];
    messages.extend([with_media(message(2), &document), plain(2)]);
    messages[0].content.template.as_mut().unwrap().parameters[0] = "Paul\n\tof     Douala".to_owned();
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
async fn headers_buttons_and_uploads_go_as_documented() {
    let mut meta = Meta::new().await;
    meta.writes(&phone(2));
    let mut all = message(1);
    let button = |index, kind, value: &str| Button { index, kind, value: value.to_owned() };
    let template = all.content.template.as_mut().unwrap();
    template.header = Some("Bonjour\nPaul".to_owned());
    template.buttons = vec![
        button(0, ButtonType::QuickReply, "STOP"),
        button(1, ButtonType::Url, "offre/7?a=b c"),
        button(3, ButtonType::CopyCode, "RELANCE7"),
    ];
    let kinds = [MediaType::Image, MediaType::Video, MediaType::Document];
    let uploads = kinds.map(|kind| [1, 2].map(|person| with_media(message(person), &[(kind, "1013859600285441")])));
    // The medium is the header, whatever else was meant to be.
    let mut both = with_media(message(1), &[(MediaType::Image, "1013859600285441")]);
    both.content.template.as_mut().unwrap().header = Some("Paul".to_owned());
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
async fn what_cannot_go_is_refused_without_a_call() {
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
    Refused(Refusal { error: "this day has no `whatsappTemplate`, and without one WhatsApp takes messages only to people who wrote within the last 24 hours", reaction: FailDay })
    Refused(Refusal { error: "the text has 4097 characters; WhatsApp takes 4096 at most", reaction: FailDay })
    Refused(Refusal { error: "the text below a medium has 1025 characters; WhatsApp takes 1024 at most", reaction: FailDay })
    Refused(Refusal { error: "WhatsApp takes one picture, film or document with a text, and no recording", reaction: FailDay })
    Refused(Refusal { error: "WhatsApp takes one picture, film or document with a text, and no recording", reaction: FailDay })
    Refused(Refusal { error: "no number to send by: the account has no `sender`, and the channel no `phoneNumberId`", reaction: PauseAccount })
    Refused(Refusal { error: "the `sender` `1/../2` is not the id of a number, which is all digits", reaction: PauseAccount })
    "#);
    assert_eq!(meta.fake_graph.traffic().calls, 0);
}

/// All of the table, in its order.
pub(crate) const CODES: [i64; 51] = [
    130_429, 4, 80_007, 131_056, 1, 2, 131_000, 131_016, 131_057, 133_004, 131_026, 131_047, 131_049, 131_050, 130_472,
    130_403, 131_048, 131_064, 131_051, 131_008, 131_009, 100, 135_000, 131_021, 131_030, 131_052, 131_053, 132_000,
    132_001, 132_005, 132_007, 132_012, 132_018, 132_015, 132_016, 190, 0, 3, 10, 200, 299, 131_005, 368, 131_031,
    130_497, 131_042, 33, 131_045, 133_010, 133_006, 131_037,
];

#[tokio::test]
async fn every_code_gets_the_reaction_asked_for() {
    let meta = Meta::new().await;
    let (mut messages, mut told) = (Vec::new(), String::new());
    for (place, code) in (0_i64..).zip(CODES.into_iter().chain([999_999])) {
        meta.fake_graph.order(Order::FailFor { phone: phone(place), fault: error(code) });
        messages.extend([1, 2].map(|attempts| OutgoingMessage { attempts, ..message(place) }));
    }
    let outcomes = meta.hand_over(&messages).await;
    for (code, pair) in CODES.into_iter().chain([999_999]).zip(outcomes.chunks(2)) {
        let expected = [1, 2].map(|attempts| Outcome::refused(format!("{code}: said so"), reaction(code, attempts)));
        assert_eq!(pair, expected);
        let [first, second] = [0, 1].map(|place| asks_for(&pair[place]).unwrap());
        told += &if first == second {
            format!("{code} {first:?}\n")
        } else {
            format!("{code} {first:?}, then {second:?}\n")
        };
    }
    insta::assert_snapshot!(told);
    assert_eq!(meta.fake_graph.ledger(), []);
}

#[tokio::test]
async fn limits_say_how_long() {
    let meta = Meta::new().await;
    for (retry_after, regain_after, seconds) in
        [(None, None, None), (Some(90), None, Some(90)), (Some(90), Some(3), Some(180))]
    {
        meta.fail_next(Fault::Error(ApiError { retry_after, regain_after, ..ApiError::new(80_007, "slow") }));
        let after = seconds.map(chrono::TimeDelta::seconds);
        assert_eq!(asks_for(&meta.one(message(1)).await), Some(Reaction::Throttle { after }));
    }
    meta.behave(|behaviour| behaviour.messages_per_second = Some(3));
    let outcomes = meta.hand_over(&(0..9).map(message).collect::<Vec<_>>()).await;
    let throttled = outcomes.iter().filter(|one| asks_for(one) == Some(Reaction::Throttle { after: None })).count();
    assert_eq!(throttled + meta.fake_graph.ledger().len(), 9);
    assert!(throttled > 0);
}

#[tokio::test]
async fn what_is_wrong_with_a_number_of_all_stops_the_channel() {
    let mut meta = Meta::new().await;
    meta.spec.phone_number_id = Some("1".to_owned());
    let mut shared = message(2);
    shared.policy = Arc::default();
    for code in [131_048, 133_010, 131_031] {
        for person in [1, 2] {
            meta.fake_graph.order(Order::FailFor { phone: phone(person), fault: error(code) });
        }
        let outcomes = meta.hand_over(&[message(1), shared.clone()]).await;
        let asked = outcomes.iter().map(|outcome| asks_for(outcome).unwrap()).collect::<Vec<_>>();
        assert_eq!(asked, [Reaction::PauseAccount, Reaction::PauseChannel], "{code}");
    }
    meta.fake_graph.order(Order::Heal {});
    meta.hand_over(&[message(1), shared]).await;
    let mut numbers: Vec<String> = meta.fake_graph.ledger().into_iter().map(|one| one.number).collect();
    numbers.sort();
    assert_eq!(numbers, ["1", NUMBER]);
}

#[tokio::test]
async fn marketing_goes_where_it_is_taken() {
    let mut meta = Meta::new().await;
    meta.writes(&phone(2));
    meta.behave(|behaviour| behaviour.marketing_only = true);
    let outcomes = meta.hand_over(&[message(1), message(2)]).await;
    assert!(outcomes.iter().all(is_accepted), "{outcomes:?}");
    let mut ledger = meta.fake_graph.ledger();
    ledger.sort_by(|one, other| one.to.cmp(&other.to));
    assert_eq!(ledger.iter().map(|one| one.marketing).collect::<Vec<_>>(), [true, false]);
    assert_eq!(ledger[0].body["product_policy"], "CLOUD_API_FALLBACK");
    assert_eq!(meta.fake_graph.traffic().calls, 3);
    // Whoever is sent there in vain is not sent there again.
    meta.behave(|_| ());
    meta.fake_graph.order(Order::FailFor { phone: phone(1), fault: error(131_063) });
    assert_eq!(asks_for(&meta.one(message(1)).await), Some(Reaction::PauseChannel));
    assert_eq!(meta.fake_graph.traffic().calls, 5);
}

#[tokio::test]
async fn nobody_knows_what_became_of_a_call_that_was_cut() {
    let mut meta = Meta::new().await;
    meta.spec.timeout = Period::seconds(1);
    let channel = meta.channel();
    // The second time the connection is one that was used before.
    for _ in 0..2 {
        assert!(is_accepted(&channel.hand_over(&[message(0)], now()).await[0]));
        for (fault, was_accepted) in [
            (Fault::CutBefore, 0),
            (Fault::CutAfter, 1),
            (Fault::Garbled, 1),
            (Fault::Hang, 1),
            (Fault::Stranger(502), 0),
        ] {
            let before = meta.fake_graph.ledger().len();
            meta.fail_next(fault.clone());
            let outcomes = channel.hand_over(&[message(1)], now()).await;
            assert!(is_unknown(&outcomes[0]), "{fault:?}: {outcomes:?}");
            assert_eq!(meta.fake_graph.ledger().len() - before, was_accepted, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_waited_for() {
    let mut meta = Meta::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    meta.spec.base_url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _request = stream.read(&mut [0; 4_096]).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        while stream.write_all(&[b' '; 4_096]).is_ok() {}
    });
    assert!(is_unknown(&meta.one(message(1)).await));
    // Not on this thread: the connection is yet to be closed by it.
    tokio::task::spawn_blocking(|| server.join().unwrap()).await.unwrap();
}

#[tokio::test]
async fn what_never_left_is_tried_again() {
    let mut meta = Meta::new().await;
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let speaks_no_tls = meta.fake_graph.url().replace("http", "https");
    let retry = Some(Reaction::Retry { after: None });
    for url in [format!("http://{nobody}"), speaks_no_tls, "https://nobody.invalid".to_owned(), "nonsense".to_owned()] {
        meta.spec.base_url.clone_from(&url);
        let outcome = meta.one(message(1)).await;
        assert_eq!(asks_for(&outcome), retry, "{url}: {outcome:?}");
        let Outcome::Refused(refusal) = outcome else { panic!() };
        assert!(!refusal.error.contains(TOKEN) && !refusal.error.contains(NUMBER), "{}", refusal.error);
    }
    assert_eq!(meta.fake_graph.traffic().calls, 0);
}

#[tokio::test]
async fn a_token_is_renewed_while_the_daemon_runs_and_is_never_told() {
    let meta = Meta::new().await;
    let channel = meta.channel();
    let token = meta.dir.path().join("token");
    fs::write(&token, "an-old-token").unwrap();
    let outcome = channel.hand_over(&[message(1)], now()).await.remove(0);
    assert_eq!(outcome, Outcome::refused("190: Malformed access token …", Reaction::PauseChannel));
    fs::write(&token, TOKEN).unwrap();
    assert!(is_accepted(&channel.hand_over(&[message(1)], now()).await[0]));
    fs::remove_file(&token).unwrap();
    let outcomes = channel.hand_over(&[message(1), message(2)], now()).await;
    assert!(outcomes.iter().all(|one| asks_for(one) == Some(Reaction::PauseChannel)), "{outcomes:?}");
    assert_eq!(meta.fake_graph.traffic().calls, 2);
}

#[tokio::test]
async fn calls_go_side_by_side_and_answers_stay_in_order() {
    let mut meta = Meta::new().await;
    meta.spec.concurrency = 4;
    meta.behave(|behaviour| behaviour.latency_ms = [1, 20]);
    for person in (0..100).step_by(7) {
        meta.fake_graph.order(Order::FailFor { phone: phone(person), fault: error(131_026) });
    }
    let channel = meta.channel();
    let batches: Vec<Vec<OutgoingMessage>> =
        (0..2).map(|half| (half * 50..(half + 1) * 50).map(message).collect()).collect();
    // The limit is one of the channel, not of each batch.
    let (first, second) = tokio::join!(channel.hand_over(&batches[0], now()), channel.hand_over(&batches[1], now()));
    let ledger = meta.fake_graph.ledger();
    for (message, outcome) in batches.concat().iter().zip(first.into_iter().chain(second)) {
        let id = ledger.iter().find(|one| one.key == message.key.to_string()).map(|one| one.id.clone());
        match outcome {
            Outcome::Accepted { provider_id, .. } => assert_eq!(Some(provider_id), id),
            other => assert_eq!((asks_for(&other), id), (Some(Reaction::Leave), None)),
        }
    }
    assert_eq!(ledger.len(), 100 - 15);
    assert_eq!(meta.fake_graph.traffic().most_at_once, 4);
}

#[tokio::test]
async fn what_there_is_no_time_for_is_no_attempt() {
    let mut meta = Meta::new().await;
    // Nothing is left of a hand-over: only what need not wait for its turn begins.
    (meta.spec.timeout, meta.spec.concurrency) = (Period::seconds(18), 1);
    meta.behave(|behaviour| behaviour.latency_ms = [5, 5]);
    let outcomes = meta.hand_over(&[message(1), message(2)]).await;
    assert!(is_accepted(&outcomes[0]), "{outcomes:?}");
    assert_eq!(asks_for(&outcomes[1]), Some(Reaction::Throttle { after: None }));
    assert_eq!(meta.fake_graph.traffic().calls, 1);
}

#[tokio::test]
async fn whatever_happens_on_the_way_nothing_is_taken_for_what_it_is_not() {
    let meta = Meta::new().await;
    meta.behave(|behaviour| {
        (behaviour.seed, behaviour.cut_before, behaviour.cut_after) = (4, 0.1, 0.1);
        behaviour.latency_ms = [0, 3];
    });
    let messages: Vec<OutgoingMessage> = (0..1_000).map(message).collect();
    let outcomes = meta.hand_over(&messages).await;
    let ledger: HashSet<String> = meta.fake_graph.ledger().into_iter().map(|one| one.key).collect();
    let (mut cut, mut kept) = (0, 0);
    for (message, outcome) in messages.iter().zip(&outcomes) {
        let is_there = ledger.contains(&message.key.to_string());
        match outcome {
            Outcome::Accepted { .. } => assert!(is_there),
            Outcome::Unknown { .. } if is_there => kept += 1,
            Outcome::Unknown { .. } => cut += 1,
            Outcome::Refused(refusal) => panic!("{}", refusal.error),
        }
    }
    assert!((50..150).contains(&cut) && (50..150).contains(&kept), "{cut} {kept}");
}

#[tokio::test]
async fn bodies_are_those_that_meta_takes() {
    let meta = Meta::new().await;
    meta.behave(|behaviour| behaviour.templates = Some([("relance_2".to_owned(), 2)].into()));
    let mut unknown = message(1);
    unknown.content.template.as_mut().unwrap().name = "relance_9".to_owned();
    let mut one_short = message(2);
    one_short.content.template.as_mut().unwrap().parameters.pop();
    let outcomes = meta.hand_over(&[unknown, one_short, message(3)]).await;
    assert_eq!([&outcomes[0], &outcomes[1]].map(asks_for), [Some(Reaction::PauseRun); 2]);
    assert!(is_accepted(&outcomes[2]));
    assert_eq!(meta.bodies()[0]["template"]["language"], json!({"code": "pt_BR"}));
}
