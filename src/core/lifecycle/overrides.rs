//! Overrides: orders of operators, which beat the manifests until they are cleared or expire.
//!
//! An override applies to one run, one campaign in all its accounts, or one account in all its campaigns. An override
//! of the run itself beats the other two. Between the other two, the one that stops more wins: a paused account stays
//! silent even if one of its campaigns is resumed everywhere.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::domain::{AccountId, CampaignId, Timestamp};

/// The action of an override, ordered by how much it stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Lifts a pause of the manifest.
    Resume,
    /// Lifts a pause and starts at once, even a draft or a run before its `startAt`.
    Start,
    /// Stops enrollment and sending; targets keep their place.
    Pause,
    /// Ends the runs for ever.
    Cancel,
}

impl Action {
    pub const ALL: [Self; 4] = [Self::Resume, Self::Start, Self::Pause, Self::Cancel];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resume => "resume",
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Cancel => "cancel",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }

    /// Returns the action as done, in the past tense.
    pub const fn done(self) -> &'static str {
        match self {
            Self::Resume => "resumed",
            Self::Start => "started",
            Self::Pause => "paused",
            Self::Cancel => "cancelled",
        }
    }
}

impl TryFrom<String> for Action {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is not an action"))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The runs that an override applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// All runs of the account.
    Account(AccountId),
    /// All runs of the campaign.
    Campaign(CampaignId),
    Run(AccountId, CampaignId),
}

impl Scope {
    /// Returns the scope, where `None` stands for all. No override covers all accounts and all campaigns at once.
    pub const fn of(account: Option<AccountId>, campaign: Option<CampaignId>) -> Option<Self> {
        match (account, campaign) {
            (Some(account), Some(campaign)) => Some(Self::Run(account, campaign)),
            (Some(account), None) => Some(Self::Account(account)),
            (None, Some(campaign)) => Some(Self::Campaign(campaign)),
            (None, None) => None,
        }
    }

    /// Returns the account; `None` means all accounts.
    pub const fn account(self) -> Option<AccountId> {
        match self {
            Self::Account(account) | Self::Run(account, _) => Some(account),
            Self::Campaign(_) => None,
        }
    }

    /// Returns the campaign; `None` means all campaigns.
    pub const fn campaign(self) -> Option<CampaignId> {
        match self {
            Self::Campaign(campaign) | Self::Run(_, campaign) => Some(campaign),
            Self::Account(_) => None,
        }
    }
}

/// An order of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    pub scope: Scope,
    pub action: Action,
    pub actor: String,
    pub reason: String,
    /// The expiry; `None` means until it is cleared.
    pub until: Option<Timestamp>,
}

impl Override {
    /// Returns the reason why the override is not valid at `now`, as a sentence; `None` if it is valid.
    pub fn fault(&self, now: Timestamp) -> Option<&'static str> {
        if self.actor.trim().is_empty() {
            return Some("an override says who ordered it");
        }
        if self.reason.trim().is_empty() {
            return Some("an override says why");
        }
        if self.is_over(now) {
            return Some("an override that is over already orders nothing");
        }
        match (self.action, self.scope) {
            (Action::Cancel, Scope::Account(_)) => Some(
                "a whole account is never cancelled, because a cancelled run is over for ever: cancel its campaigns one by one, or pause the account",
            ),
            (Action::Cancel, Scope::Campaign(_) | Scope::Run(..)) if self.until.is_some() => {
                Some("a cancelled run is over for ever, not for a time")
            }
            (Action::Cancel, Scope::Campaign(_) | Scope::Run(..)) => None,
            (Action::Resume | Action::Start | Action::Pause, _) => None,
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// A stored override. It is known by its id: a later order with the same words is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingOrder {
    pub id: i64,
    pub order: Override,
}

/// The overrides that may apply to some runs, one for each scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides(BTreeMap<Scope, StandingOrder>);

impl FromIterator<StandingOrder> for Overrides {
    fn from_iter<I: IntoIterator<Item = StandingOrder>>(all: I) -> Self {
        Self(all.into_iter().map(|one| (one.order.scope, one)).collect())
    }
}

impl Overrides {
    /// Returns the overrides that apply to a run.
    pub fn about(&self, account: AccountId, campaign: CampaignId) -> Orders<'_> {
        let scopes = [Scope::Run(account, campaign), Scope::Campaign(campaign), Scope::Account(account)];
        Orders(scopes.map(|scope| self.0.get(&scope)))
    }
}

/// The overrides that apply to one run: its own, its campaign's and its account's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Orders<'a>([Option<&'a StandingOrder>; 3]);

impl<'a> Orders<'a> {
    pub fn is_empty(self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Returns the override that wins at `now`.
    pub fn at(self, now: Timestamp) -> Option<&'a StandingOrder> {
        let [run, wider @ ..] = self.0.map(|one| one.filter(|one| !one.order.is_over(now)));
        run.or_else(|| wider.into_iter().flatten().max_by_key(|one| one.order.action))
    }

    /// Returns when the next override expires, so that another may win.
    pub fn change_at(self, now: Timestamp) -> Option<Timestamp> {
        self.0.into_iter().flatten().filter_map(|one| one.order.until).filter(|until| *until > now).min()
    }

    /// Returns true if the override with this id has expired.
    pub fn has_ended(self, id: i64, now: Timestamp) -> bool {
        self.0.into_iter().flatten().any(|one| one.id == id && one.order.is_over(now))
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Override, Overrides, Scope, StandingOrder};
    use crate::core::domain::{AccountId, CampaignId, Timestamp};

    const ACCOUNT: AccountId = AccountId(1);
    const CAMPAIGN: CampaignId = CampaignId(7);
    const RUN: Scope = Scope::Run(ACCOUNT, CAMPAIGN);

    fn at(minute: i64) -> Timestamp {
        "2026-12-01T08:00:00Z".parse::<Timestamp>().unwrap() + chrono::TimeDelta::minutes(minute)
    }

    fn order(scope: Scope, action: Action) -> Override {
        Override { scope, action, actor: "maria".into(), reason: "too many complaints".into(), until: None }
    }

    fn standing(orders: impl IntoIterator<Item = Override>) -> Overrides {
        (1..).zip(orders).map(|(id, order)| StandingOrder { id, order }).collect()
    }

    fn counts(orders: &[(Scope, Action)]) -> Option<Action> {
        let all = standing(orders.iter().map(|(scope, action)| order(*scope, *action)));
        all.about(ACCOUNT, CAMPAIGN).at(at(0)).map(|one| one.order.action)
    }

    #[test]
    fn a_run_override_wins_before_the_strictest_other_override() {
        let (account, campaign) = (Scope::Account(ACCOUNT), Scope::Campaign(CAMPAIGN));
        assert_eq!(counts(&[]), None);
        for action in Action::ALL {
            for other in Action::ALL {
                assert_eq!(counts(&[(campaign, action), (account, other)]), Some(action.max(other)));
                assert_eq!(counts(&[(RUN, action), (campaign, other), (account, other)]), Some(action));
            }
            assert_eq!(counts(&[(account, action)]), Some(action));
            let others =
                [Scope::Account(AccountId(2)), Scope::Campaign(CampaignId(8)), Scope::Run(AccountId(2), CAMPAIGN)];
            assert_eq!(counts(&others.map(|scope| (scope, action))), None);
        }
        assert_eq!(counts(&[(campaign, Action::Resume), (account, Action::Pause)]), Some(Action::Pause));
    }

    #[test]
    fn an_expired_override_yields_to_the_next_one() {
        let for_a_time = |scope, action, minutes| Override { until: Some(at(minutes)), ..order(scope, action) };
        let all = standing([
            for_a_time(RUN, Action::Start, 5),
            for_a_time(Scope::Campaign(CAMPAIGN), Action::Pause, 9),
            order(Scope::Account(ACCOUNT), Action::Resume),
        ]);
        let seen = |minute| {
            let now = at(minute);
            let orders = all.about(ACCOUNT, CAMPAIGN);
            (orders.at(now).map(|one| one.order.action), orders.change_at(now))
        };
        assert_eq!(seen(4), (Some(Action::Start), Some(at(5))));
        assert_eq!(seen(5), (Some(Action::Pause), Some(at(9))));
        assert_eq!(seen(9), (Some(Action::Resume), None));
    }

    #[test]
    fn invalid_overrides_are_refused_with_a_reason() {
        let fault = |order: Override| order.fault(at(0)).unwrap_or("fine");
        assert_eq!(fault(order(RUN, Action::Cancel)), "fine");
        assert_eq!(fault(order(Scope::Account(ACCOUNT), Action::Pause)), "fine");
        assert_eq!(fault(Override { until: Some(at(1)), ..order(RUN, Action::Pause) }), "fine");
        assert!(
            fault(order(Scope::Account(ACCOUNT), Action::Cancel)).starts_with("a whole account is never cancelled")
        );
        assert!(fault(Override { until: Some(at(1)), ..order(RUN, Action::Cancel) }).ends_with("not for a time"));
        assert!(fault(Override { until: Some(at(0)), ..order(RUN, Action::Pause) }).ends_with("orders nothing"));
        assert_eq!(fault(Override { reason: " ".into(), ..order(RUN, Action::Pause) }), "an override says why");
        assert_eq!(
            fault(Override { actor: String::new(), ..order(RUN, Action::Pause) }),
            "an override says who ordered it"
        );
    }

    #[test]
    fn an_override_is_identified_by_its_id_alone() {
        let ended = Override { until: Some(at(0)), ..order(RUN, Action::Pause) };
        let alike = Override { scope: Scope::Account(ACCOUNT), ..ended.clone() };
        let all = standing([ended, Override { until: None, ..alike }]);
        let orders = all.about(ACCOUNT, CAMPAIGN);
        assert!(orders.has_ended(1, at(0)));
        assert!(!orders.has_ended(2, at(0)));
        assert_eq!(orders.at(at(0)).map(|standing| standing.id), Some(2));
    }
}
