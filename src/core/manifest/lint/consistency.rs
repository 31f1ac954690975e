//! The consistency of a desired state. One tree that passes [`check`](crate::core::manifest::check()) is always
//! consistent; a mix of two trees need not be.

use std::collections::BTreeMap;

use super::account_conflicts as clash;
use super::account_conflicts::Clash;
use super::channel_fit as by_channel;
use super::channel_limits::{Load, unfit};
use super::cycles as circle;
use super::default_overlaps as overlap;
use super::default_overlaps::Overlap;
use crate::core::diagnostic::Severity;
use crate::core::domain::Name;
use crate::core::manifest::desired::{AccountSelector, CampaignType, Day, Desired, DesiredState};
use crate::core::manifest::kind::Kind;

/// Resources that cannot be in force together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    pub between: Vec<(Kind, Name)>,
    pub sentence: String,
}

impl Desired {
    /// Finds resources that cannot be in force together.
    pub fn misfits(&self) -> Vec<Misfit> {
        [
            self.unusable(),
            self.without_channel(),
            self.unfit_for_channels(),
            self.set_twice(),
            self.queued_twice(),
            self.circles(),
            self.overlaps(),
        ]
        .concat()
    }

    /// Finds campaigns whose sequence or channel is missing, or whose days do not match their sequence.
    fn unusable(&self) -> Vec<Misfit> {
        let mut found = Vec::new();
        for (name, campaign) in &self.campaigns {
            let mut say = |kind: Kind, other: &Name, what: &str| {
                let sentence = format!("the campaign `{name}` needs the {what} `{other}`");
                let between = vec![(Kind::Campaign, name.clone()), (kind, other.clone())];
                found.push(Misfit { between, sentence });
            };
            match self.sequences.get(&campaign.sequence) {
                None => say(Kind::Sequence, &campaign.sequence, "sequence"),
                Some(sequence) => {
                    let fits = campaign.days.iter().all(|(number, day)| {
                        sequence.days.contains_key(number) && day.text.contains_key(&sequence.fallback_language)
                    });
                    if !fits {
                        say(Kind::Sequence, &campaign.sequence, "days and the fallback language of the sequence");
                    }
                }
            }
            if let Some(channel) = campaign.channel.as_ref().filter(|channel| !self.channels.contains_key(*channel)) {
                say(Kind::Channel, channel, "channel");
            }
        }
        found
    }

    /// Finds `Account` manifests, and `Defaults`, whose channel is missing.
    fn without_channel(&self) -> Vec<Misfit> {
        // A stored channel that cannot be used still exists: it stops what goes by it, and no other edit.
        let missing = |channel: &&Name| {
            !self.channels.contains_key(*channel) && !self.unusable.contains_key(&(Kind::Channel, (*channel).clone()))
        };
        let of_all = self.defaults.channel.as_ref().filter(missing).map(|channel| Misfit {
            between: vec![(Kind::Channel, channel.clone())],
            sentence: format!("`Defaults` needs the channel `{channel}`"),
        });
        let of_some = self.accounts.iter().filter_map(|(name, account)| {
            let channel = account.channel.as_ref().filter(missing)?;
            let between = vec![(Kind::Account, name.clone()), (Kind::Channel, channel.clone())];
            Some(Misfit { between, sentence: format!("the account `{name}` needs the channel `{channel}`") })
        });
        of_all.into_iter().chain(of_some).collect()
    }

    /// Finds campaigns whose days do not fit the channels that they use.
    fn unfit_for_channels(&self) -> Vec<Misfit> {
        let mut found = Vec::new();
        for (name, campaign) in &self.campaigns {
            let Some(sequence) = self.sequences.get(&campaign.sequence) else { continue };
            let days: BTreeMap<u16, &Day> =
                sequence.days.iter().chain(&campaign.days).map(|(n, day)| (*n, day)).collect();
            let loads: Vec<Load<'_>> = days.into_iter().map(|(number, day)| Load::of(number, day)).collect();
            for (channel, takes) in by_channel::channels(campaign, self) {
                let unfit = unfit(channel, takes, &loads, &sequence.fallback_language).into_iter();
                found.extend(unfit.filter(|unfit| unfit.code.severity() == Severity::Error).map(|unfit| Misfit {
                    between: vec![
                        (Kind::Campaign, name.clone()),
                        (Kind::Sequence, campaign.sequence.clone()),
                        (Kind::Channel, channel.clone()),
                    ],
                    sentence: format!("{}: see {} of the campaign `{name}`", unfit.sentence, unfit.which()),
                }));
            }
        }
        found
    }

    fn set_twice(&self) -> Vec<Misfit> {
        let misfit = |Clash { between: [first, second], key, account }: Clash<'_>| Misfit {
            between: [first, second].map(|name| (Kind::Account, name.clone())).to_vec(),
            sentence: format!("both `{first}` and `{second}` would set `{key}` of the account `{account}`"),
        };
        clash::of_names(&self.accounts).into_iter().map(misfit).collect()
    }

    fn queued_twice(&self) -> Vec<Misfit> {
        let mut places: BTreeMap<&Name, &Name> = BTreeMap::new();
        let mut found = Vec::new();
        for (queue, spec) in &self.queues {
            for campaign in &spec.campaigns {
                let Some(first) = places.insert(campaign, queue).filter(|first| *first != queue) else { continue };
                let between = [first, queue].map(|name| (Kind::Queue, name.clone())).to_vec();
                let sentence = format!("the campaign `{campaign}` has a place in `{first}` and in `{queue}`");
                found.push(Misfit { between, sentence });
            }
        }
        found
    }

    fn circles(&self) -> Vec<Misfit> {
        let after = self.campaigns.iter().filter_map(|(name, spec)| Some((name, spec.run_after.as_ref()?)));
        let in_queues = self.queues.values().flat_map(|queue| {
            let waits = circle::waits(&queue.campaigns, queue.parallelism).into_iter();
            waits.map(|(child, parent)| (&queue.campaigns[child], parent))
        });
        // A campaign that does not exist blocks no other.
        let both =
            |(child, parent): &(&Name, &Name)| [child, parent].iter().all(|it| self.campaigns.contains_key(**it));
        let waits: Vec<(&Name, &Name)> = after.chain(in_queues).filter(both).collect();
        let misfit = |circle: circle::Circle<'_>| {
            let names: Vec<String> =
                circle.members.iter().chain(circle.members.first()).map(|name| format!("`{name}`")).collect();
            let campaigns = circle.members.iter().map(|name| (Kind::Campaign, (*name).clone()));
            let queues = self.queues.iter().filter(|(_, queue)| {
                queue.campaigns.iter().filter(|campaign| circle.members.contains(campaign)).count() > 1
            });
            let between = campaigns.chain(queues.map(|(name, _)| (Kind::Queue, name.clone()))).collect();
            Misfit { between, sentence: format!("campaigns would wait in a circle: {}", names.join(" after ")) }
        };
        circle::find(&waits).into_iter().map(misfit).collect()
    }

    fn overlaps(&self) -> Vec<Misfit> {
        let defaults: Vec<(&Name, &AccountSelector)> = self
            .campaigns
            .iter()
            .filter(|(_, spec)| spec.kind == CampaignType::Default && spec.state != DesiredState::Cancelled)
            .map(|(name, spec)| (name, &spec.accounts))
            .collect();
        let misfit = |Overlap { first, second, what }| {
            let names = [defaults[first].0, defaults[second].0];
            let sentence = format!("the default campaigns `{}` and `{}` would both take {what}", names[0], names[1]);
            Misfit { between: names.map(|name| (Kind::Campaign, name.clone())).to_vec(), sentence }
        };
        overlap::find(defaults.iter().map(|(_, accounts)| *accounts)).into_iter().map(misfit).collect()
    }
}
