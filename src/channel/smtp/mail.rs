//! The rendering of a message as a mail.

use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder, SinglePart};
use lettre::{Address, Message};

use crate::core::dispatch::OutgoingMessage;
use crate::core::domain::{Callback, Language, Timestamp};
use crate::core::lifecycle::outcome::{Outcome, Reaction};
use crate::core::manifest::desired::{Smtp as Spec, UnsubscribeValues};
use crate::core::template::{Escape, RequestTemplate};

/// A mail that is ready to send.
#[derive(Debug)]
pub(super) struct Mail {
    /// The `Message-ID`, without its angle brackets. Bounces refer to the mail by it.
    pub(super) id: String,
    /// The envelope sender, to which bounces go.
    pub(super) from: Address,
    pub(super) to: Address,
    pub(super) bytes: Vec<u8>,
    /// True if the mail is sent in the name of its account, false if in that of the channel.
    pub(super) has_own_sender: bool,
}

impl Mail {
    /// Renders the mail. Refuses a message that cannot be sent, without a call.
    pub(super) fn of(
        (message, callback): (&OutgoingMessage, &Callback),
        spec: &Spec,
        now: Timestamp,
    ) -> Result<Self, Outcome> {
        let own = message.policy.sender.as_deref();
        let from = sender(own.or(spec.from.as_deref()))?;
        let to = recipient(message)?;
        if !message.content.media.is_empty() {
            return Err(Outcome::refused("the day has media, and mail takes none", Reaction::Unfit));
        }
        let Some(subject) = &message.content.subject else {
            return Err(Outcome::refused("the day has no `subject`, and every mail has one", Reaction::PauseRun));
        };
        let bounces = spec.bounce_address.as_deref().map_or_else(|| Ok(from.email.clone()), address)?;
        let id = format!("{callback}@{}", from.email.domain());
        let envelope = Envelope::new(Some(bounces.clone()), vec![to.clone()]).map_err(|error| at_fault(&error))?;
        let mut mail = Message::builder()
            .envelope(envelope)
            .message_id(Some(format!("<{id}>")))
            .date(now.into())
            .from(from)
            .to(Mailbox::new(None, to.clone()))
            .subject(subject.split_whitespace().collect::<Vec<_>>().join(" "))
            // The headers suppress automatic replies (RFC 3834) and declare bulk mail.
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("Precedence", "bulk"));
        if let Some(reply_to) = &spec.reply_to {
            let reply_to: Mailbox = reply_to.parse().map_err(|error| at_fault(&error))?;
            mail = mail.reply_to(in_ascii(reply_to));
        }
        let mail = unsubscribe(mail, (message, callback), spec)?;
        let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(message.content.text.clone());
        let bytes = mail.singlepart(text).map_err(|error| at_fault(&error))?.formatted();
        Ok(Self { id, from: bounces, to, bytes, has_own_sender: own.is_some() })
    }
}

fn sender(text: Option<&str>) -> Result<Mailbox, Outcome> {
    let text = text.ok_or_else(|| {
        let error = "nobody to send as: the account has no `sender`, and the channel no `from`";
        Outcome::refused(error, Reaction::PauseAccount)
    })?;
    let mailbox: Mailbox = text.parse().map_err(|_| {
        let error = format!("the `sender` `{text}` is not an address of mail");
        Outcome::refused(error, Reaction::PauseAccount)
    })?;
    Ok(in_ascii(mailbox))
}

fn recipient(message: &OutgoingMessage) -> Result<Address, Outcome> {
    let email = message.email.as_deref().map(str::trim).filter(|email| !email.is_empty());
    let email = email.ok_or_else(|| Outcome::refused("the person has no e-mail address", Reaction::NoAddress))?;
    let address: Address =
        email.parse().map_err(|_| Outcome::refused("the e-mail address of the person is none", Reaction::NoAddress))?;
    Ok(with_ascii_domain(address))
}

fn in_ascii(mailbox: Mailbox) -> Mailbox {
    Mailbox { email: with_ascii_domain(mailbox.email), ..mailbox }
}

/// Writes the domain of an address as `xn--…`, which every server takes. Letters before the `@` have no such form.
fn with_ascii_domain(address: Address) -> Address {
    if address.domain().is_ascii() {
        return address;
    }
    let domain = idna::domain_to_ascii(address.domain()).ok();
    domain.and_then(|domain| Address::new(address.user(), domain).ok()).unwrap_or(address)
}

/// Adds the ways to unsubscribe: at best one click (RFC 8058), which is a POST request and needs no answer.
fn unsubscribe(
    mail: MessageBuilder,
    (message, callback): (&OutgoingMessage, &Callback),
    spec: &Spec,
) -> Result<MessageBuilder, Outcome> {
    let mut ways = Vec::new();
    if let Some(url) = &spec.unsubscribe_url {
        let values = UnsubscribeValues {
            // As the team knows it.
            email: message.email.as_deref().unwrap_or_default().trim(),
            message_id: &callback.to_string(),
            language: Language::as_str(&message.content.language),
            account: message.key.target.account.0.into(),
        };
        let template = RequestTemplate::compile(url, Escape::Percent).map_err(|problem| at_fault(&problem))?;
        ways.push(format!("<{}>", template.render(values).map_err(|error| at_fault(&error))?));
    }
    if let Some(mailto) = &spec.unsubscribe_mailto {
        ways.push(format!("<mailto:{}?subject=unsubscribe>", address(mailto)?));
    }
    if ways.is_empty() {
        return Ok(mail);
    }
    let mail = mail.raw_header(header("List-Unsubscribe", &ways.join(", ")));
    let one_click = spec.unsubscribe_url.is_some();
    Ok(if one_click { mail.raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")) } else { mail })
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn address(text: &str) -> Result<Address, Outcome> {
    text.parse().map(with_ascii_domain).map_err(|error| at_fault(&error))
}

/// Refuses a mail for a fault in the channel's settings, which every recipient would meet.
fn at_fault(error: &dyn std::error::Error) -> Outcome {
    Outcome::refused(error.to_string(), Reaction::PauseChannel)
}
