//! Operators order, and take back what they ordered.

use chrono::TimeDelta;
use relance::core::domain::{AccountId, CampaignId, Name, Timestamp};
use relance::core::lifecycle::overrides::{Action, Override, Overrides, Scope, StandingOrder};
use relance::store::Ordered;

use super::{ACCOUNTS, CAMPAIGNS, Walk};

impl Walk {
    /// Mostly pauses and what lifts them, for a time or until taken back; seldom an end.
    pub(super) async fn order(&mut self) -> String {
        let scope = self.scope().await;
        let action = self.dice.pick(&[Action::Pause, Action::Pause, Action::Pause, Action::Resume, Action::Start]);
        let action = if self.dice.below(20) == 0 { Action::Cancel } else { action };
        let hours = self.dice.pick(&[None, Some(1), Some(20), Some(75)]).filter(|_| action != Action::Cancel);
        let until = hours.map(|hours| self.world.now + TimeDelta::hours(hours));
        let order = Override { scope, action, actor: "maria".to_owned(), reason: self.story.len().to_string(), until };
        match self.world.order(&order).await {
            Ordered::Done(_) => {
                self.note(scope, Some(order));
                format!("{action} {scope:?} until {until:?}")
            }
            // An account as a whole is never cancelled.
            Ordered::Refused(fault) => fault.to_owned(),
            Ordered::Outdated => panic!("nobody else applies anything"),
        }
    }

    pub(super) async fn take_back(&mut self) -> String {
        let scope = self.scope().await;
        self.clear(scope).await;
        format!("clear {scope:?}")
    }

    pub(super) async fn take_everything_back(&mut self) {
        let all = self.orders.last().map(|(_, all)| all.iter().map(|one| one.scope).collect::<Vec<_>>());
        for scope in all.unwrap_or_default() {
            self.clear(scope).await;
        }
    }

    /// What was ordered for a run at an instant, when so much had been delivered.
    pub(super) fn ordered(
        &self,
        (account, campaign): (AccountId, CampaignId),
        place: usize,
        at: Timestamp,
    ) -> Option<Action> {
        let (_, orders) = self.orders.iter().rev().find(|(so_far, _)| *so_far <= place)?;
        let standing = |(id, order)| StandingOrder { id, order };
        let orders: Overrides = (1..).zip(orders.iter().cloned()).map(standing).collect();
        orders.about(account, campaign).at(at).map(|standing| standing.order.action)
    }

    async fn clear(&mut self, scope: Scope) {
        let (program, _) = self.world.program().await;
        let cleared = self.world.store().clear_override(&program, scope, "joe", self.world.now).await.unwrap();
        assert!(matches!(cleared, Ordered::Done(_)), "{cleared:?}");
        self.note(scope, None);
    }

    fn note(&mut self, scope: Scope, order: Option<Override>) {
        let mut all = self.orders.last().map(|(_, all)| all.clone()).unwrap_or_default();
        all.retain(|one| one.scope != scope);
        all.extend(order);
        self.orders.push((self.world.channel.deliveries().len(), all));
    }

    /// An account, a campaign that is in force, or a run of it.
    async fn scope(&mut self) -> Scope {
        let account = AccountId(i32::try_from(self.dice.below(ACCOUNTS.len())).unwrap() + 1);
        let (name, ..) = self.dice.pick(&CAMPAIGNS);
        let in_force = self.world.store().in_force().await.unwrap();
        let campaign = in_force.campaigns.get(&Name::parse(name).unwrap()).copied();
        match (campaign, self.dice.below(3)) {
            (Some(campaign), 0) => Scope::Campaign(campaign),
            (Some(campaign), 1) => Scope::Run(account, campaign),
            (None | Some(_), _) => Scope::Account(account),
        }
    }
}
