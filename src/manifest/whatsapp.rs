//! Whether what campaigns say can go by WhatsApp.
//!
//! A day is one message. Its text goes by itself or below one picture, film or document, and only to whoever wrote within
//! the last 24 hours; everybody else gets the approved template, with that medium as its header.

use std::collections::{BTreeMap, BTreeSet};

use super::check::Checked;
use super::desired::{Campaign, Channel, MediaType};
use super::kind::Kind;
use super::read::{Manifest, Spec};
use super::resolve::{Tree, freeze_campaign};
use super::sequence::DaySpec;
use crate::diagnostic::{Code, Diagnostic};
use crate::domain::Name;

/// What WhatsApp takes below a medium, in characters.
const MAX_CAPTION: usize = 1024;

/// Refuses campaigns with days that WhatsApp does not take, and warns of what few people would get.
pub(super) fn check(tree: &Tree<'_, '_>, checked: &mut Checked) {
    let ours = |name: &Name| matches!(checked.desired.channels.get(name), Some(Channel::WhatsappCloud(_)));
    if !checked.desired.channels.keys().any(&ours) {
        return;
    }
    let accounts = checked.desired.accounts.values().filter_map(|account| account.channel.as_ref());
    let usual = checked.desired.defaults.channel.iter().chain(accounts).any(&ours);
    let concerned = |campaign: &Campaign| campaign.channel.as_ref().map_or(usual, &ours);
    let campaigns = checked.desired.campaigns.iter().filter(|(_, campaign)| concerned(campaign));
    let campaigns: Vec<(Name, Name)> = campaigns.map(|(name, one)| (name.clone(), one.sequence.clone())).collect();
    numbers(tree, checked);
    let owners = Owners::new(tree);
    let (mut found, mut broken, mut told) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for (campaign, sequence) in &campaigns {
        for owner in owners.of(campaign, sequence) {
            for misfit in owner.misfits(&owners.replaced(owner, campaign)) {
                broken.insert(campaign.clone());
                if !found.contains(&misfit) {
                    found.push(misfit);
                }
            }
            if told.insert((owner.manifest.kind, &owner.manifest.name)) {
                found.extend(owner.doubts());
            }
        }
    }
    checked.diagnostics.extend(found);
    for name in broken {
        freeze_campaign(&name, checked);
    }
}

/// Says of channels by which nobody can send.
fn numbers(tree: &Tree<'_, '_>, checked: &mut Checked) {
    if checked.desired.accounts.values().any(|account| account.sender.is_some()) {
        return;
    }
    for manifest in tree.of_kind(Kind::Channel) {
        let channel = checked.desired.channels.get(&manifest.name);
        if matches!(channel, Some(Channel::WhatsappCloud(spec)) if spec.phone_number_id.is_none()) {
            let message = "nobody can send by it: the channel has no `phoneNumberId`, and no `Account` a `sender`";
            checked.diagnostics.push(
                Diagnostic::new(Code::NoEffect, manifest.document.place("/spec/type"), message).help(
                    "add `phoneNumberId:` for all accounts, or give each account the id of its number as `sender`",
                ),
            );
        }
    }
}

/// The manifests that have days.
struct Owners<'a, 'f>(BTreeMap<(Kind, &'a Name), Days<'a, 'f>>);

/// The days of one manifest.
#[derive(Clone, Copy)]
struct Days<'a, 'f> {
    manifest: &'a Manifest<'f>,
    days: &'a [DaySpec],
}

impl<'a, 'f> Owners<'a, 'f> {
    fn new(tree: &Tree<'a, 'f>) -> Self {
        let manifests = tree.of_kind(Kind::Sequence).into_iter().chain(tree.of_kind(Kind::Campaign));
        let with_days = manifests.filter_map(|manifest| {
            let days = match &manifest.spec {
                Some(Spec::Sequence(sequence)) => &sequence.days[..],
                Some(Spec::Campaign(campaign)) => campaign.days.as_deref()?,
                _ => return None,
            };
            Some(((manifest.kind, &manifest.name), Days { manifest, days }))
        });
        Self(with_days.collect())
    }

    /// Those that a campaign takes its days from.
    fn of(&self, campaign: &'a Name, sequence: &'a Name) -> impl Iterator<Item = Days<'a, 'f>> {
        [(Kind::Sequence, sequence), (Kind::Campaign, campaign)].into_iter().filter_map(|key| self.0.get(&key).copied())
    }

    /// Days of `owner` in whose place a campaign has days of its own.
    fn replaced(&self, owner: Days<'_, '_>, campaign: &'a Name) -> BTreeSet<u16> {
        let own = self.0.get(&(Kind::Campaign, campaign)).filter(|_| owner.manifest.kind == Kind::Sequence);
        own.map(|own| own.days.iter().map(|day| day.day).collect()).unwrap_or_default()
    }
}

impl Days<'_, '_> {
    /// Media that cannot be one message with the text.
    fn misfits(&self, replaced: &BTreeSet<u16>) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let days = self.days.iter().enumerate().filter(|(_, day)| !replaced.contains(&day.day));
        for (index, day) in days {
            let media = day.media.as_deref().unwrap_or_default();
            let recording = media.iter().position(|medium| medium.kind == MediaType::Audio);
            let (place, message) = match (recording, media.len()) {
                (Some(number), _) => (number, "a recording has no room for the text of the day".to_owned()),
                (None, 0 | 1) => continue,
                (None, many) => (1, format!("day {} has {many} media, and one goes with its text", day.day)),
            };
            let place = self.manifest.document.place(&format!("/spec/days/{index}/media/{place}/type"));
            found.push(
                Diagnostic::new(Code::MediaMisfit, place, format!("WhatsApp cannot take it: {message}"))
                    .help("a day is one message: keep one picture, film or document, or spread them over days"),
            );
        }
        found
    }

    /// What goes, but not as it looks, or hardly to anybody.
    fn doubts(&self) -> Vec<Diagnostic> {
        let document = &self.manifest.document;
        let mut found = Vec::new();
        for (index, day) in self.days.iter().enumerate() {
            let Some([medium]) = day.media.as_deref() else { continue };
            if medium.caption.is_some() {
                let place = document.key_place(&format!("/spec/days/{index}/media/0/caption"));
                let message = "on WhatsApp the text of the day stands below its medium, and this `caption` is not sent";
                found.push(Diagnostic::new(Code::NoEffect, place, message).help("say it in the text"));
            }
            for (language, text) in &day.text {
                let chars = text.chars().count();
                if chars > MAX_CAPTION {
                    let place = document.key_place(&format!("/spec/days/{index}/text/{language}"));
                    let message =
                        format!("the text has {chars} characters; below a medium WhatsApp takes {MAX_CAPTION} at most");
                    found.push(
                        Diagnostic::new(Code::TextTooLong, place, message).help("shorten it, or drop the medium"),
                    );
                }
            }
        }
        let bare: Vec<usize> = (0..self.days.len()).filter(|at| self.days[*at].whatsapp_template.is_none()).collect();
        if let Some(first) = bare.first() {
            let which = match &bare[..] {
                [one] => format!("day {} has", self.days[*one].day),
                some if some.len() == self.days.len() => "the days have".to_owned(),
                some => format!("{} of {} days have", some.len(), self.days.len()),
            };
            let place = document.place(&format!("/spec/days/{first}/day"));
            let message = format!("{which} no `whatsappTemplate`: only who wrote within 24 hours gets the text");
            found.push(
                Diagnostic::new(Code::NoWhatsappTemplate, place, message)
                    .help("add `whatsappTemplate: {name: …, language: …}` with a template that Meta approved"),
            );
        }
        found
    }
}
