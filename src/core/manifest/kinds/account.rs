//! `kind: Account` as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::defaults::PacingSpec;
use super::safety::SafetySpec;
use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::domain::Name;
use crate::core::manifest::desired::AccountSelector;
use crate::core::manifest::desired::policy::{Account, Switch};
use crate::core::manifest::syntax::document::Document;

/// What holds for some accounts in place of what `Defaults` says. More labels count more than fewer, and the name of an
/// account counts most, value by value.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct AccountSpec {
    /// A list of account names, or labels that accounts must have.
    accounts: AccountSelector,
    limits: Option<AccountLimitsSpec>,
    /// How the account spaces its messages: as a whole, what it leaves out does not come from `Defaults`.
    pacing: Option<PacingSpec>,
    /// When the account is stopped for its own good: as a whole, what it leaves out does not come from `Defaults`.
    safety: Option<SafetySpec>,
    /// Whether the default campaign goes on while a filtered one is active.
    allow_simultaneous_campaigns: Option<bool>,
    /// `off`: its campaigns take nobody; whoever is in one goes on.
    enrollment: Option<Switch>,
    /// `off`: nothing leaves; everybody stays where they are.
    sending: Option<Switch>,
    /// The name of the `Channel` of campaigns that have none.
    pub(in crate::core::manifest) channel_ref: Option<Name>,
    /// In whose name channels that have several senders send, as the provider calls it.
    #[schemars(length(min = 1))]
    sender: Option<String>,
}

/// How much may happen.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AccountLimitsSpec {
    /// Messages per local day over all its campaigns.
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    messages_per_day: Option<u32>,
}

impl AccountSpec {
    /// Checks what needs no other manifest.
    pub(in crate::core::manifest) fn check(&self, document: &Document<'_>, found: &mut Vec<Diagnostic>) {
        if self.accounts == AccountSelector::All {
            found.push(
                Diagnostic::new(
                    Code::UnknownValue,
                    document.place("/spec/accounts"),
                    "`accounts` cannot be `all` here",
                )
                .help("that is what `Defaults` is for; write `{names: […]}` or `{matchLabels: {…}}`"),
            );
        }
        if let Some(safety) = self.safety {
            safety.check(document, found);
        }
        if self.resolve().said().next().is_none() {
            let message = "the `Account` sets nothing";
            found.push(
                Diagnostic::new(Code::NoEffect, document.key_place("/spec"), message)
                    .help("give it a limit, a pace or a switch, or remove it"),
            );
        }
    }

    pub(in crate::core::manifest) fn resolve(&self) -> Account {
        Account {
            accounts: self.accounts.clone().in_order(),
            messages_per_day: self.limits.and_then(|limits| limits.messages_per_day),
            pacing: self.pacing.as_ref().map(PacingSpec::resolve),
            safety: self.safety.map(SafetySpec::resolve),
            allow_simultaneous_campaigns: self.allow_simultaneous_campaigns,
            enrollment: self.enrollment,
            sending: self.sending,
            channel: self.channel_ref.clone(),
            sender: self.sender.clone(),
        }
    }
}
