//! Warnings of ban risk on gateways that WhatsApp does not approve of.

use super::channel_fit::{channels, may_share};
use crate::core::diagnostic::{Code, Diagnostic};
use crate::core::domain::{Name, Period};
use crate::core::manifest::desired::{Campaign, Channel, Desired, Pacing};
use crate::core::manifest::kind::Kind;
use crate::core::manifest::parsed::Manifests;

/// The shortest safe interval: a faster sender looks like a machine.
const SLOW_ENOUGH: Period = Period::seconds(30);
/// The number of new people per day that a new number may write to.
const NEW_PEOPLE: u32 = 20;

/// Warns of risks that the files allow. Accounts and channels must be resolved first.
pub(in crate::core::manifest) fn check(manifests: &Manifests<'_, '_>, desired: &Desired) -> Vec<Diagnostic> {
    let mut found = fast_paces(manifests, desired);
    found.extend(many_new_people(manifests, desired));
    found
}

fn fast_paces(manifests: &Manifests<'_, '_>, desired: &Desired) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let unofficial = |name: &&Name| desired.channels.get(*name).is_some_and(|channel| channel.takes().unofficial);
    let of_campaigns =
        || desired.campaigns.values().filter_map(|campaign| Some((campaign, campaign.channel.as_ref()?)));
    let mut warn = |kind: Kind, name: &Name, pacing: &Pacing, channel: &Name| {
        let Some(manifest) = manifests.get(kind, name) else { return };
        let shortest = shortest(pacing);
        if shortest >= SLOW_ENOUGH {
            return;
        }
        let message =
            format!("messages leave {shortest} apart by `{channel}`, a gateway that WhatsApp does not approve of");
        let help = "let `every` be 30s or more, with some `jitter`; numbers are banned for writing like a machine";
        let place = manifest.document.key_place("/spec/pacing");
        found.push(Diagnostic::new(Code::FastPace, place, message).help(help));
    };
    // The channels of accounts that set no pacing of their own.
    let unpaced = desired.accounts.values().filter(|account| account.pacing.is_none());
    let common = desired.defaults.channel.iter().chain(unpaced.filter_map(|account| account.channel.as_ref()));
    let common = common.chain(of_campaigns().map(|(_, channel)| channel)).find(unofficial);
    let defaults = manifests.of_kind(Kind::Defaults);
    if let (Some(channel), Some(manifest)) = (common, defaults.first()) {
        warn(Kind::Defaults, &manifest.name, &desired.defaults.pacing, channel);
    }
    for (name, account) in &desired.accounts {
        let own = account.channel.as_ref().or(desired.defaults.channel.as_ref());
        let shared = of_campaigns().filter(|(campaign, _)| may_share(&campaign.accounts, &account.accounts));
        let channel = own.into_iter().chain(shared.map(|(_, channel)| channel)).find(unofficial);
        if let (Some(pacing), Some(channel)) = (&account.pacing, channel) {
            warn(Kind::Account, name, pacing, channel);
        }
    }
    found
}

/// Returns the shortest time that may pass between two messages.
fn shortest(pacing: &Pacing) -> Period {
    pacing.waves.iter().map(|wave| wave.every).min().unwrap_or(pacing.every)
}

fn many_new_people(manifests: &Manifests<'_, '_>, desired: &Desired) -> Vec<Diagnostic> {
    let new_numbers = |name: &Name| match desired.channels.get(name) {
        Some(Channel::Http(http)) => http.unofficial && http.new_numbers,
        _ => false,
    };
    let risky =
        |campaign: &Campaign| channels(campaign, desired).into_iter().map(|(name, _)| name.clone()).find(&new_numbers);
    // The highest account limit, if all accounts have one.
    let highest = desired.accounts.values().filter_map(|account| account.messages_per_day).max();
    let cap = desired.defaults.messages_per_day.map(|cap| highest.map_or(cap, |highest| highest.max(cap)));
    let mut found = Vec::new();
    for (name, campaign) in &desired.campaigns {
        // A limit of messages also limits new people.
        let caps = [campaign.limits.daily_enrollments, campaign.limits.messages_per_day, cap];
        let most = caps.into_iter().flatten().min();
        let (Some(channel), Some(manifest)) = (risky(campaign), manifests.get(Kind::Campaign, name)) else { continue };
        if most.is_some_and(|most| most <= NEW_PEOPLE) {
            continue;
        }
        let how_many = most.map_or_else(|| "any number of".to_owned(), |most| format!("{most}"));
        let message = format!("the campaign `{name}` may write to {how_many} new people a day by `{channel}`");
        let help = "a new number is banned for more than about 20: set `limits.dailyEnrollments`, or say \
                    `newNumbers: false` in the channel";
        let limits = manifest.document.node("/spec/limits").is_some();
        let place = manifest.document.key_place(if limits { "/spec/limits" } else { "/metadata/name" });
        found.push(Diagnostic::new(Code::ManyNewPeople, place, message).help(help));
    }
    found
}
