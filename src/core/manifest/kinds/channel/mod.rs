//! `kind: Channel`: its schema, and its checks per channel type.

mod answers;
mod http;
mod literal_secrets;
mod report;
mod smtp;
mod spec;
mod whatsapp;

use self::report::Report;
pub(in crate::core::manifest) use self::spec::ChannelSpec;
use self::spec::{ChannelType, TIMEOUT};
use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::domain::Period;
use crate::core::manifest::desired::Channel;
use crate::core::manifest::syntax::document::Document;
use crate::core::manifest::syntax::yaml::Node;

/// The upper limit of `timeout`. A call and the work around it must end before the daemon stops waiting for it.
const MAX_TIMEOUT: Period = Period::seconds(15);

impl ChannelSpec {
    pub(in crate::core::manifest) fn check(&self, document: &Document<'_>, found: &mut Vec<Diagnostic>) {
        self.foreign_keys(document, found);
        let mut report = Report { document, found };
        match self.kind {
            ChannelType::Sandbox => return,
            ChannelType::WhatsappCloud => whatsapp::check(self, &mut report),
            ChannelType::Http => http::check(self, &mut report),
            ChannelType::Smtp => smtp::check(self, &mut report),
        }
        self.check_timeouts(&mut report);
    }

    fn check_timeouts(&self, report: &mut Report<'_, '_>) {
        let timeout = self.timeout.unwrap_or(TIMEOUT);
        if timeout.is_zero() || timeout > MAX_TIMEOUT {
            let message = format!("`timeout` must be 1s at least and {MAX_TIMEOUT} at most");
            let help = "whatever has not answered by then is uncertain, and waits for a receipt";
            report.say(Code::OutOfRange, "timeout", message, help);
        } else if self.connect_timeout.is_some_and(|connect| connect.is_zero() || connect > timeout) {
            let message = format!("`connectTimeout` must be 1s at least and no longer than `timeout`, {timeout}");
            let help = "what was never connected is tried again by itself";
            report.say(Code::OutOfRange, "connectTimeout", message, help);
        }
    }

    /// Reports keys that belong to another channel type.
    fn foreign_keys(&self, document: &Document<'_>, found: &mut Vec<Diagnostic>) {
        let written = document.node("/spec").map(Node::entries).unwrap_or_default();
        for (key, _) in written.iter().filter(|(key, _)| !self.kind.keys().contains(&key.name.as_str())) {
            let name = key.name.as_str();
            let owners = ChannelType::ALL.into_iter().filter(|kind| kind.keys().contains(&name));
            let owners: Vec<String> = owners.map(|kind| format!("`type: {}`", kind.as_str())).collect();
            if !owners.is_empty() {
                let place = document.key_place(&format!("/spec/{name}"));
                let message = format!("`{name}` means nothing to `{}`", self.kind.as_str());
                let help = format!("remove it; it belongs to channels of {}", owners.join(" or "));
                found.push(Diagnostic::new(Code::UnknownKey, place, message).help(help));
            }
        }
    }

    /// Resolves the channel; returns `None` when a required key is missing, which `check` reports.
    pub(in crate::core::manifest) fn resolve(&self) -> Option<Channel> {
        match self.kind {
            ChannelType::Sandbox => Some(Channel::Sandbox { latency: self.latency.unwrap_or(Period::ZERO) }),
            ChannelType::WhatsappCloud => whatsapp::resolve(self),
            ChannelType::Http => http::resolve(self),
            ChannelType::Smtp => smtp::resolve(self),
        }
    }
}
