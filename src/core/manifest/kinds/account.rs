//! The schema of `kind: Account`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::defaults::PacingSpec;
use super::safety::SafetySpec;
use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::domain::Name;
use crate::core::manifest::desired::AccountSelector;
use crate::core::manifest::desired::policy::{Account, Switch};
use crate::core::manifest::syntax::document::Document;

/// Settings for some accounts that replace those of `Defaults`, value by value. A manifest with more labels wins over
/// one with fewer. A manifest that names the account wins over all labels.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::core::manifest) struct AccountSpec {
    /// The accounts: a list of account names, or labels that an account must have.
    accounts: AccountSelector,
    limits: Option<AccountLimitsSpec>,
    /// The time between two messages of the account. It replaces `pacing` of `Defaults` as a whole: keys left out take
    /// the built-in defaults.
    pacing: Option<PacingSpec>,
    /// The failure and opt-out rates that stop the account. It replaces `safety` of `Defaults` as a whole: keys left
    /// out take the built-in defaults.
    safety: Option<SafetySpec>,
    /// `true` lets the default campaign continue while a filtered campaign is active.
    allow_simultaneous_campaigns: Option<bool>,
    /// `off` stops enrollment: campaigns take no new people, and people already enrolled continue.
    enrollment: Option<Switch>,
    /// `off` stops sending: no message leaves, and everybody keeps their place.
    sending: Option<Switch>,
    /// The name of the `Channel` for campaigns that set none.
    pub(in crate::core::manifest) channel_ref: Option<Name>,
    /// The sender on channels that have several, written as the provider identifies it.
    #[schemars(length(min = 1))]
    sender: Option<String>,
}

/// Limits of an account.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AccountLimitsSpec {
    /// The maximum number of messages per local day, over all campaigns of the account.
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    messages_per_day: Option<u32>,
}

impl AccountSpec {
    /// Checks everything that needs no other manifest.
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
        if self.resolve().layers().next().is_none() {
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
