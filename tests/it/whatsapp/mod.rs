//! The WhatsApp channel against the fake Graph API: each outcome is what happened to the message there.

mod answers;
mod calls;
mod content;
mod records;

use std::collections::HashSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use chrono::NaiveDate;
use relance::channel::fake_graph::{ApiError, Behaviour, Clock, FakeGraph, Fault, Order};
use relance::channel::whatsapp::WhatsappCloud;
use relance::channel::{Channel, Outcome, Reaction};
use relance::core::dispatch::OutgoingMessage;
use relance::core::dispatch::program::{Rendered, SpokenBy};
use relance::core::domain::{
    AccountId, CampaignId, Language, MessageKey, Period, Phone, ReferralId, TargetKey, Timestamp,
};
use relance::core::manifest::desired::{
    Media, MediaAt, MediaType, Parameters, Secret, TemplateMessage, WhatsappCloud as Spec,
};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) use self::answers::CODES;
use crate::support::daemon::folder;

pub(super) const TOKEN: &str = "EAAGm0PX4ZCpsBA";
pub(super) const NUMBER: &str = "106540352242922";

pub(super) fn now() -> Timestamp {
    "2026-11-30T08:00:00Z".parse().unwrap()
}

/// A fake Graph API, a folder with the token, and the settings of a channel that uses them.
pub(super) struct Meta {
    pub(super) fake_graph: FakeGraph,
    pub(super) dir: TempDir,
    pub(super) spec: Spec,
    /// The phones of people who wrote recently.
    wrote: HashSet<String>,
}

impl Meta {
    pub(super) async fn new() -> Self {
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

    pub(super) fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        let mut behaviour = Behaviour { token: Some(TOKEN.to_owned()), ..Behaviour::default() };
        change(&mut behaviour);
        self.fake_graph.order(Order::Behave(behaviour));
    }

    /// A person writes, and the channel is told so.
    pub(super) fn writes(&mut self, phone: &str) {
        let (number, phone, text) = (NUMBER.to_owned(), phone.to_owned(), "Bonjour".to_owned());
        self.wrote.insert(phone.clone());
        self.fake_graph.order(Order::Inbound { number, phone, text });
    }

    pub(super) fn fail_next(&self, fault: Fault) {
        self.fake_graph.order(Order::FailNext { calls: 1, fault });
    }

    pub(super) fn channel(&self) -> WhatsappCloud {
        WhatsappCloud::new(self.spec.clone())
    }

    pub(super) async fn hand_over(&self, messages: &[OutgoingMessage]) -> Vec<Outcome> {
        let claimed = |message: &OutgoingMessage| {
            let in_conversation = self.wrote.contains(message.phone.as_str());
            OutgoingMessage { in_conversation, ..message.clone() }
        };
        let messages: Vec<_> = messages.iter().map(claimed).collect();
        self.channel().hand_over(&messages, now()).await
    }

    pub(super) async fn one(&self, message: OutgoingMessage) -> Outcome {
        let [outcome] = &self.hand_over(&[message]).await[..] else { panic!() };
        outcome.clone()
    }

    pub(super) fn bodies(&self) -> Vec<Value> {
        self.fake_graph.ledger().into_iter().map(|accepted| accepted.body).collect()
    }
}

pub(super) fn phone(person: i64) -> String {
    format!("+23767100{person:04}")
}

/// Day 2 of somebody, with a template, in the name of an account that has a number of its own.
pub(super) fn message(person: i64) -> OutgoingMessage {
    let target = TargetKey { account: AccountId(3), campaign: CampaignId(1), referral: ReferralId(person) };
    let language = Language::parse("fr").unwrap();
    let template = TemplateMessage {
        name: "relance_2".to_owned(),
        language: Language::parse("pt-BR").unwrap(),
        header: None,
        parameters: Parameters::Numbered(vec!["Paul".to_owned(), "Aminata".to_owned()]),
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
pub(super) fn plain(person: i64) -> OutgoingMessage {
    let mut message = message(person);
    message.content.template = None;
    message
}

pub(super) fn with_media(mut message: OutgoingMessage, media: &[(MediaType, &str)]) -> OutgoingMessage {
    let at = |at: &str| {
        if at.contains(':') { MediaAt::Url(at.to_owned()) } else { MediaAt::Id(at.to_owned()) }
    };
    let medium = |(kind, place): &(MediaType, &str)| Media { kind: *kind, at: at(place), caption: None };
    message.content.media = media.iter().map(medium).collect();
    message
}

pub(super) fn error(code: i64) -> Fault {
    Fault::Error(ApiError::new(code, "said so"))
}

pub(super) fn is_accepted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted { .. })
}

pub(super) fn is_unknown(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unknown { .. })
}

pub(super) fn asks_for(outcome: &Outcome) -> Option<Reaction> {
    match outcome {
        Outcome::Refused(refusal) => Some(refusal.reaction),
        Outcome::Accepted { .. } | Outcome::Unknown { .. } => None,
    }
}
