//! The accounts and referrals of a test: checks that ids are unique, phones are valid, and references lead to them.

use std::collections::BTreeMap;

use super::spec::{AccountSpec, CampaignTestSpec, ReferralSpec, WhoSpec};
use crate::core::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::core::domain::Phone;
use crate::core::manifest::syntax::document::Document;

/// The maximum number of names in a help text.
const LISTED: usize = 8;

/// The people of a test, with the places that introduce them.
pub(super) struct People<'a, 'd> {
    document: &'a Document<'d>,
    accounts: BTreeMap<&'a str, String>,
    referrals: BTreeMap<&'a str, Introduced>,
}

struct Introduced {
    at: String,
    /// The step that registers the person; `None` if they exist from the start.
    step: Option<usize>,
}

impl<'a, 'd> People<'a, 'd> {
    /// Collects all people, and reports mistakes in their data.
    pub(super) fn of(spec: &'a CampaignTestSpec, document: &'a Document<'d>, found: &mut Vec<Diagnostic>) -> Self {
        let mut people = Self { document, accounts: BTreeMap::new(), referrals: BTreeMap::new() };
        for (index, account) in spec.accounts.iter().flatten().enumerate() {
            people.account(format!("/spec/accounts/{index}"), account, found);
        }
        for (index, referral) in spec.referrals.iter().flatten().enumerate() {
            people.referral(Introduced { at: format!("/spec/referrals/{index}"), step: None }, referral, found);
        }
        for (index, step) in spec.steps.iter().enumerate() {
            if let Some(WhoSpec::Whole(referral)) = step.event.as_ref().and_then(|event| event.referral.as_ref()) {
                let at = format!("/spec/steps/{index}/event/referral");
                people.referral(Introduced { at, step: Some(index) }, referral, found);
            }
        }
        people
    }

    fn account(&mut self, at: String, account: &'a AccountSpec, found: &mut Vec<Diagnostic>) {
        if let Some(Err(reason)) = account.phone.as_ref().map(|phone| Phone::parse(phone, account.country)) {
            found.push(self.bad_phone(&at, reason));
        }
        if let Some(first) = self.accounts.get(account.id.as_str()) {
            found.push(self.twice("accounts", &account.id, &at, first));
        } else {
            self.accounts.insert(&account.id, at);
        }
    }

    fn referral(&mut self, introduced: Introduced, referral: &'a ReferralSpec, found: &mut Vec<Diagnostic>) {
        if let Err(reason) = Phone::parse(&referral.phone, Some(referral.country)) {
            found.push(self.bad_phone(&introduced.at, reason));
        }
        self.know_account(&format!("{}/account", introduced.at), &referral.account, found);
        if let Some(first) = self.referrals.get(referral.id.as_str()) {
            found.push(self.twice("referrals", &referral.id, &introduced.at, &first.at));
        } else {
            self.referrals.insert(&referral.id, introduced);
        }
    }

    /// Reports a reference to a missing account.
    pub(super) fn know_account(&self, at: &str, id: &str, found: &mut Vec<Diagnostic>) {
        if !self.accounts.contains_key(id) {
            found.push(self.unknown("account", at, id, self.accounts.keys().copied().collect()));
        }
    }

    /// Reports a referral that is missing, or not yet registered at `step`; `None` accepts any step.
    pub(super) fn know_referral(&self, at: &str, id: &str, step: Option<usize>, found: &mut Vec<Diagnostic>) {
        let Some(introduced) = self.referrals.get(id) else {
            found.push(self.unknown("referral", at, id, self.referrals.keys().copied().collect()));
            return;
        };
        if let (Some(step), Some(registered)) = (step, introduced.step)
            && step < registered
        {
            let message = format!("the referral `{id}` is not there yet");
            found.push(
                Diagnostic::new(Code::UnknownPerson, self.document.place(at), message)
                    .related(self.document.place(&format!("{}/id", introduced.at)), "registered here")
                    .help("move this step below that one"),
            );
        }
    }

    fn unknown(&self, noun: &str, at: &str, id: &str, known: Vec<&str>) -> Diagnostic {
        let others = match known.len() {
            0 => format!("the test has no {noun} at all: add one under `{noun}s`"),
            _ => format!("there are `{}`", known[..known.len().min(LISTED)].join("`, `")),
        };
        let message = format!("there is no {noun} `{id}` in this test");
        Diagnostic::new(Code::UnknownPerson, self.document.place(at), message)
            .help(did_you_mean(id, known).unwrap_or(others))
    }

    fn twice(&self, list: &str, id: &str, at: &str, first: &str) -> Diagnostic {
        let message = format!("`{id}` is there twice among the {list}");
        Diagnostic::new(Code::DuplicateFact, self.document.place(&format!("{at}/id")), message)
            .related(self.document.place(&format!("{first}/id")), "first here")
            .help("give each an id of its own")
    }

    fn bad_phone(&self, at: &str, reason: String) -> Diagnostic {
        Diagnostic::new(Code::InvalidValue, self.document.place(&format!("{at}/phone")), reason)
            .help("write it with its calling code, as in `\"+237671000001\"`")
    }
}
