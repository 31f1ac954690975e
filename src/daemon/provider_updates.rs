//! The translation of webhooks into receipts, inbound messages and provider notices for the store.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::channel::webhook;
use crate::channel::webhook::{
    Inbound, InboundKind, Meaning, Notice, Post, Preference, Rename, Status, StatusKind, Update,
};
use crate::channel::{Reaction, Refusal, whatsapp};
use crate::core::domain::{InstallationId, MessageKey, Timestamp, hex};
use crate::core::lifecycle::detail::{Detail, NoticeSubject};
use crate::core::lifecycle::restriction as stop;
use crate::core::lifecycle::restriction::Restriction;
use crate::core::lifecycle::send_resources::tag;
use crate::store::{
    InboundMessage, InboundResult, ProviderNotice, Receipt, ReceiptStatus, Renamed, SenderName, Senders, Via, Webhook,
};

/// The attempt that a later failure belongs to: the first, because the provider makes no second attempt.
const ATTEMPT: u16 = 1;

/// A parsed webhook.
#[derive(Debug)]
pub(super) struct Read<'a> {
    pub(super) webhook: &'a Webhook,
    post: Post,
    now: Timestamp,
    /// The webhook names a person whose data was erased.
    pub(super) erase: bool,
}

impl<'a> Read<'a> {
    pub(super) fn of(webhook: &'a Webhook, now: Timestamp) -> Self {
        Self { webhook, post: webhook::read(&webhook.body, webhook.received_at), now, erase: false }
    }

    /// Returns the names that the provider uses for our numbers.
    pub(super) fn senders(&self) -> impl Iterator<Item = SenderName> {
        self.post.numbers.iter().map(|number| SenderName {
            channel: self.webhook.channel.clone(),
            number: number.id.clone(),
            digits: number.digits.clone(),
            business: number.account.clone(),
        })
    }

    /// Returns a description of the parts that could not be parsed, if any.
    pub(super) fn problem(&self) -> Option<String> {
        Some(self.post.problems.join("; ")).filter(|problem| !problem.is_empty())
    }

    /// Returns the phone numbers and provider ids of all people in the webhook.
    pub(super) fn people(&self) -> impl Iterator<Item = &str> {
        self.post.updates.iter().flat_map(|update| match update {
            Update::Status(status) => status.recipient.iter().map(String::as_str).collect(),
            Update::Inbound(Inbound { person, .. }) | Update::Preference(Preference { person, .. }) => {
                [&person.phone, &person.user].into_iter().flatten().map(String::as_str).collect()
            }
            Update::Rename(rename) => rename.known.iter().chain(&rename.fresh).map(String::as_str).collect(),
            Update::Notice(_) => Vec::new(),
        })
    }

    /// Returns the provider ids of messages whose status carries no callback key of ours.
    pub(super) fn unnamed(&self) -> impl Iterator<Item = &str> {
        self.statuses().filter(|status| status.callback.is_none()).map(|status| status.provider_id.as_str())
    }

    /// Returns whether the webhook reports failed messages.
    pub(super) fn has_failures(&self) -> bool {
        self.statuses().any(|status| matches!(status.kind, StatusKind::Failed { .. }))
    }

    /// Returns the receipts of messages that this installation sent. `called` maps provider ids to messages. `senders`
    /// tells which accounts have a number of their own.
    pub(super) fn receipts(
        &self,
        called: &HashMap<String, MessageKey>,
        ours: &InstallationId,
        senders: &Senders,
    ) -> impl Iterator<Item = Receipt> {
        self.statuses().filter_map(|status| {
            let (key, is_certain) = match &status.callback {
                Some(callback) => (callback.of(ours)?, callback.installation.is_some()),
                None => (*called.get(&status.provider_id)?, true),
            };
            Some(Receipt {
                key,
                is_certain,
                provider_id: Some(status.provider_id.clone()),
                recipient: status.recipient.clone(),
                channel: Some(self.webhook.channel.clone()),
                status: receipt_status(&status.kind, !senders.has_own(key.target.account)),
                at: status.at,
            })
        })
    }

    pub(super) fn incoming(&self) -> impl Iterator<Item = InboundMessage> {
        self.post.updates.iter().filter_map(|update| match update {
            Update::Inbound(inbound) => Some(message(&self.webhook.channel, inbound)),
            Update::Preference(preference) => Some(switch(&self.webhook.channel, preference)),
            Update::Status(_) | Update::Rename(_) | Update::Notice(_) => None,
        })
    }

    pub(super) fn renames(&self) -> impl Iterator<Item = Renamed> {
        self.post.updates.iter().filter_map(|update| match update {
            Update::Rename(Rename { id, known, fresh, is_number, at }) => Some(Renamed {
                id: id.clone(),
                known: known.clone(),
                fresh: fresh.clone(),
                is_number: *is_number,
                at: (*at).min(self.now),
            }),
            Update::Status(_) | Update::Inbound(_) | Update::Preference(_) | Update::Notice(_) => None,
        })
    }

    pub(super) fn notices(&self) -> impl Iterator<Item = ProviderNotice> {
        self.post.updates.iter().filter_map(|update| match update {
            Update::Notice(notice) => {
                let detail = detail(&self.webhook.channel, notice);
                let id = notice_id(&detail, notice.at);
                let at = notice.at.min(self.now);
                let stop = stop(&self.webhook.channel, notice, &detail, at);
                Some(ProviderNotice { id, detail, at, stop })
            }
            Update::Status(_) | Update::Inbound(_) | Update::Preference(_) | Update::Rename(_) => None,
        })
    }

    fn statuses(&self) -> impl Iterator<Item = &Status> {
        self.post.updates.iter().filter_map(|update| match update {
            Update::Status(status) => Some(status),
            Update::Inbound(_) | Update::Preference(_) | Update::Rename(_) | Update::Notice(_) => None,
        })
    }
}

/// Translates a status. `is_shared` states that the message went by a number that several accounts share.
fn receipt_status(kind: &StatusKind, is_shared: bool) -> ReceiptStatus {
    match kind {
        StatusKind::Sent => ReceiptStatus::Sent,
        StatusKind::Delivered => ReceiptStatus::Delivered,
        StatusKind::Read | StatusKind::Played => ReceiptStatus::Read,
        StatusKind::Failed { code: Some(code), text } => ReceiptStatus::Failed(Refusal {
            error: format!("{code}: {text}"),
            reaction: whatsapp::by_number(
                whatsapp::by_details(whatsapp::reaction(*code, ATTEMPT), *code, text),
                is_shared,
            ),
        }),
        StatusKind::Failed { code: None, text } => {
            ReceiptStatus::Failed(Refusal { error: text.clone(), reaction: Reaction::FailDay })
        }
    }
}

fn message(channel: &str, inbound: &Inbound) -> InboundMessage {
    let person = inbound.person.clone();
    InboundMessage {
        id: inbound.id.clone(),
        channel: channel.to_owned(),
        number: inbound.number.clone(),
        phone: person.phone,
        user: person.user,
        context: person.context,
        text: inbound.text.clone(),
        via: match inbound.kind {
            InboundKind::Private => Via::Message,
            InboundKind::Edit => Via::Edit,
            InboundKind::Group => Via::Group,
        },
        undoes: None,
        at: inbound.at,
    }
}

/// Returns the inbound message for a preference change, as if the person had written STOP or START.
fn switch(channel: &str, preference: &Preference) -> InboundMessage {
    let person = preference.person.clone();
    let text = if preference.stop { "STOP" } else { "START" };
    let whose = person.phone.as_ref().or(person.user.as_ref()).map_or("somebody", String::as_str);
    // A preference change has no id of its own. The hash hides the person, because an unresolved message is kept longer
    // than the person may be known.
    let name = format!("preference {whose} {text} {}", preference.at.timestamp());
    InboundMessage {
        id: format!("preference {}", hex(&Sha256::digest(name))),
        channel: channel.to_owned(),
        number: preference.number.clone(),
        phone: person.phone,
        user: person.user,
        context: None,
        text: text.to_owned(),
        via: Via::Setting,
        undoes: (!preference.stop).then_some(whatsapp::SWITCHED_OFF),
        at: preference.at,
    }
}

/// Returns the restriction that a notice imposes or lifts. Returns `None` if it does neither, or names no subject.
fn stop(channel: &str, notice: &Notice, detail: &Detail, said_at: Timestamp) -> Option<Restriction> {
    let (is_stopped, until) = match notice.meaning {
        Meaning::Stop { until } => (true, until),
        Meaning::Lift => (false, None),
        Meaning::Nothing => return None,
    };
    let subject = match &notice.subject {
        NoticeSubject::Template { name, language } => {
            stop::Subject::Template { name: name.clone(), language: language.as_deref().map(tag) }
        }
        NoticeSubject::TemplateQuality { .. } => return None,
        NoticeSubject::Number { number } => stop::Subject::Number(number.clone()?),
        NoticeSubject::Account { id } => stop::Subject::Business(id.clone()?),
    };
    Some(Restriction { channel: channel.to_owned(), subject, said_at, is_stopped, until, detail: detail.clone() })
}

/// Describes a notice for the log.
fn detail(channel: &str, notice: &Notice) -> Detail {
    let (event, text) = (notice.event.clone(), notice.detail.clone());
    Detail::ProviderNotice { channel: channel.to_owned(), subject: notice.subject.clone(), event, text }
}

/// Returns the id of a notice, which has none of its own: a digest of its values, the same whenever it is repeated.
fn notice_id(detail: &Detail, at: Timestamp) -> String {
    let values = serde_json::json!([at.timestamp(), detail]).to_string();
    format!("notice {}", hex(&Sha256::digest(values)))
}

/// The totals of one receiving tick.
#[derive(Debug)]
pub(super) struct Totals<'a> {
    pub(super) receipts: usize,
    pub(super) progress: u64,
    pub(super) inbound_result: &'a InboundResult,
}

impl Totals<'_> {
    /// Logs the totals of the tick and the unparsed parts of the webhooks that are `done`.
    pub(super) fn tell(&self, done: &[&Read<'_>]) {
        for post in done {
            if let Some(problem) = post.problem() {
                let Webhook { id, channel, .. } = post.webhook;
                tracing::warn!(
                    webhook.id = id,
                    channel.name = channel,
                    "parts of a webhook were passed over: {problem}"
                );
            }
        }
        let replies = &self.inbound_result.replies;
        tracing::info!(
            webhooks = done.len(),
            receipts = self.receipts,
            progress = self.progress,
            inbound = self.inbound_result.new,
            stopped = replies.stopped.len(),
            started = replies.started.len(),
            "received"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{Meaning, Notice, NoticeSubject, detail, notice_id};
    use crate::core::domain::Timestamp;
    use crate::core::lifecycle::detail::Detail;

    fn at() -> Timestamp {
        "2026-11-30T14:00:00Z".parse().unwrap()
    }

    fn told(subject: NoticeSubject, event: &str, words: Option<&str>) -> Detail {
        let (event, words) = (event.to_owned(), words.map(str::to_owned));
        detail("whatsapp", &Notice { subject, event, detail: words, meaning: Meaning::Nothing, at: at() })
    }

    #[test]
    fn provider_notices_are_shown_as_a_sentence() {
        let of = |subject, event: &str, words: Option<&str>| told(subject, event, words).to_string();
        let (name, language) = ("welcome".to_owned(), Some("fr".to_owned()));
        let template = NoticeSubject::Template { name: name.clone(), language };
        assert_eq!(
            of(template, "PAUSED", Some("FIRST_PAUSE")),
            "whatsapp: the template `welcome` (fr) is PAUSED: FIRST_PAUSE"
        );
        let quality = NoticeSubject::TemplateQuality { name, language: None };
        assert_eq!(of(quality, "RED", None), "whatsapp: the quality of the template `welcome` is RED");
        let number = NoticeSubject::Number { number: Some("237600000000".to_owned()) };
        assert_eq!(of(number, "FLAGGED", None), "whatsapp: FLAGGED for the number 237600000000");
        let account = NoticeSubject::Account { id: Some("77".to_owned()) };
        assert_eq!(of(account, "DISABLED_UPDATE", None), "whatsapp: DISABLED_UPDATE for the account 77");
    }

    #[test]
    fn a_repeated_provider_notice_keeps_its_id() {
        let number = || NoticeSubject::Number { number: Some("237600000000".to_owned()) };
        let id = |event: &str, words| notice_id(&told(number(), event, words), at());
        assert_eq!(id("FLAGGED", None), id("FLAGGED", None));
        assert_ne!(id("FLAGGED", None), id("UNFLAGGED", None));
        assert_ne!(id("FLAGGED", None), id("FLAGGED", Some("LIMIT")));
        assert_ne!(
            id("FLAGGED", None),
            notice_id(&told(number(), "FLAGGED", None), at() + chrono::TimeDelta::seconds(1))
        );
    }
}
