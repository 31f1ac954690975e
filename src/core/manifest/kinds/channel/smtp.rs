//! Checks and resolves channels of `type: smtp`.

use lettre::message::Mailbox;

use super::report::Report;
use super::spec::ChannelSpec;
use crate::core::diagnostic::Code;
use crate::core::manifest::desired::{BasicAuth, Channel, Encryption, Smtp, UnsubscribeValues, address};
use crate::core::template::{Escape, RequestTemplate};

/// The default of `concurrency`: mail servers accept few connections from one client.
const CONCURRENCY: u16 = 4;

pub(super) fn check(spec: &ChannelSpec, report: &mut Report<'_, '_>) {
    match spec.host.as_deref() {
        None => {
            let help = "add the name of your mail server";
            report.say(Code::MissingKey, "host", "an `smtp` channel has no `host`", help);
        }
        Some(host) if !is_host(host) => {
            let help = "write its name only, as in `smtp.example.com`; `port` and `encryption` are keys of their own";
            report.say(Code::InvalidValue, "host", format!("`{host}` is not the name of a host"), help);
        }
        Some(host) if spec.encryption == Some(Encryption::None) && !address::is_loopback(host) => {
            let message = format!("messages would go to `{host}` for everybody on the way to read");
            let help = "use `tls` or `starttls`; only this machine itself goes without";
            report.say(Code::InvalidValue, "encryption", message, help);
        }
        Some(_) => {}
    }
    if let Some(name) = spec.helo_name.as_deref().filter(|name| !is_full_name(name)) {
        let message = format!("`{name}` is not the full name of a host, and many servers refuse it");
        let help = "write a name with its domain, as in `mail.example.com`, or an address in brackets: `[192.0.2.1]`";
        report.say(Code::InvalidValue, "heloName", message, help);
    }
    match (&spec.username, &spec.password) {
        (Some(_), None) => {
            let help = "add `password: {fromEnv: NAME}` or `{fromFile: PATH}`";
            report.say_of_key(Code::MissingKey, "username", "a `username` without `password` lets nobody in", help);
        }
        (None, Some(_)) => {
            let help = "add `username`, or remove it for a server that lets everybody in";
            report.say_of_key(Code::MissingKey, "password", "a `password` without `username` lets nobody in", help);
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    let mailboxes = [
        ("from", &spec.from),
        ("replyTo", &spec.reply_to),
        ("bounceAddress", &spec.bounce_address),
        ("unsubscribeMailto", &spec.unsubscribe_mailto),
    ];
    for (key, text) in mailboxes {
        let Some(text) = text else { continue };
        let may_have_name = ["from", "replyTo"].contains(&key);
        let mailbox = text.parse::<Mailbox>().ok().filter(|mailbox| may_have_name || mailbox.name.is_none());
        if let Some(mailbox) = mailbox {
            if !mailbox.email.user().is_ascii() {
                let message = format!("the mail server must support SMTPUTF8 for `{text}`");
                let help = "use letters of ASCII before the `@`, unless your mail server supports it";
                report.say(Code::NeedsSmtputf8, key, message, help);
            }
            continue;
        }
        let help = if may_have_name {
            "write `name@example.com` or `Name <name@example.com>`"
        } else {
            "write `name@example.com`"
        };
        report.say(Code::InvalidValue, key, format!("`{text}` is not an address of mail"), help);
    }
    check_unsubscribe_url(spec, report);
}

/// Resolves the channel; returns `None` when a required key is missing, which `check` reports.
pub(super) fn resolve(spec: &ChannelSpec) -> Option<Channel> {
    let (timeout, connect_timeout) = spec.timeouts();
    let encryption = spec.encryption.unwrap_or_default();
    let usual_port = match encryption {
        Encryption::Tls => 465,
        Encryption::Starttls => 587,
        Encryption::None => 25,
    };
    let credentials = spec.username.clone().zip(spec.password.clone());
    Some(Channel::Smtp(Box::new(Smtp {
        host: spec.host.clone()?,
        port: spec.port.unwrap_or(usual_port),
        encryption,
        helo_name: spec.helo_name.clone(),
        credentials: credentials.map(|(username, password)| BasicAuth { username, password }),
        from: spec.from.clone(),
        reply_to: spec.reply_to.clone(),
        bounce_address: spec.bounce_address.clone(),
        unsubscribe_url: spec.unsubscribe_url.clone(),
        unsubscribe_mailto: spec.unsubscribe_mailto.clone(),
        timeout,
        connect_timeout,
        concurrency: spec.concurrency.unwrap_or(CONCURRENCY),
    })))
}

/// Checks that the URL identifies the recipient, and that it uses TLS.
fn check_unsubscribe_url(spec: &ChannelSpec, report: &mut Report<'_, '_>) {
    const KEY: &str = "unsubscribeUrl";
    let Some(url) = &spec.unsubscribe_url else { return };
    let template = match RequestTemplate::compile(url, Escape::Percent) {
        Ok(template) => template,
        Err(problem) => {
            report.say(Code::TemplateSyntax, KEY, problem.message, "write `{{ messageId }}`");
            return;
        }
    };
    let sample = UnsubscribeValues { email: "a@b.example", message_id: "relance.1.2.3.4", language: "fr", account: 1 };
    match template.render(sample) {
        Err(error) => {
            let help = "it may use `email`, `messageId`, `language` and `account`";
            report.say(Code::TemplateFails, KEY, error.to_string(), help);
        }
        // Mail programs post only to `https` addresses.
        Ok(text) if !text.starts_with("https://") || address::authority(&text).is_empty() || !is_one_word(&text) => {
            report.say(Code::InvalidValue, KEY, format!("nothing can be posted to `{url}`"), "write `https://…`");
        }
        Ok(_) if !(template.uses("email") || template.uses("messageId")) => {
            let help = "put `{{ messageId }}` or `{{ email }}` into it; without a page that takes posts, use `unsubscribeMailto`";
            report.say(Code::InvalidValue, KEY, "a click on `unsubscribeUrl` would not say whose it is", help);
        }
        Ok(_) => {}
    }
}

/// Returns true if the text can stand between `<` and `>`.
fn is_one_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>".contains(&byte))
}

/// Returns true for `mail.example.com`, `[192.0.2.1]` and `[IPv6:2001:db8::1]`.
fn is_full_name(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<core::net::Ipv4Addr>().is_ok()
            || address.strip_prefix("IPv6:").is_some_and(|address| address.parse::<core::net::Ipv6Addr>().is_ok());
    }
    let is_label = |label: &str| {
        let is_sound = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        !label.is_empty() && label.len() <= 63 && is_sound && !label.starts_with('-') && !label.ends_with('-')
    };
    let labels: Vec<&str> = text.split('.').collect();
    // An address without brackets is not a name.
    labels.len() > 1 && labels.iter().all(|label| is_label(label)) && text.parse::<core::net::IpAddr>().is_err()
}

fn is_host(text: &str) -> bool {
    let is_name = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    is_name || text.parse::<core::net::IpAddr>().is_ok()
}
