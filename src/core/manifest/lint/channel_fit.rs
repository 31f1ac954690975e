//! Channel fit: checks that channels can carry the days of the campaigns that use them.

use std::collections::{BTreeMap, BTreeSet};

use super::channel_limits::{Load, unfit};
use super::findings::Findings;
use crate::core::diagnostic::{Code, Diagnostic, Place};
use crate::core::domain::{Language, Name};
use crate::core::manifest::desired::{AccountSelector, Campaign, Channel, Desired, Takes};
use crate::core::manifest::kind::Kind;
use crate::core::manifest::kinds::campaign::CampaignSpec;
use crate::core::manifest::kinds::sequence::{DaySpec, sole_language};
use crate::core::manifest::kinds::whatsapp_template::WhatsappTemplateSpec;
use crate::core::manifest::parsed::{Manifest, Manifests, Spec};
use crate::core::manifest::syntax::yaml::Node;

/// A day and the place where it is written.
struct DayAt<'a, 'f> {
    day: &'a DaySpec,
    manifest: &'a Manifest<'f>,
    index: usize,
}

/// The channels used by the days of each manifest.
type Ways<'a> = BTreeMap<(Kind, &'a Name), BTreeSet<Name>>;

/// Refuses campaigns whose channel cannot carry their days. Accounts and channels must be resolved first.
pub(in crate::core::manifest) fn check(manifests: &Manifests<'_, '_>, desired: &Desired) -> Findings {
    let mut findings = Findings { diagnostics: numbers(manifests, desired), ..Findings::default() };
    let found = &mut findings.diagnostics;
    let mut ways = Ways::new();
    for manifest in manifests.of_kind(Kind::Campaign) {
        let Some(Spec::Campaign(spec)) = &manifest.spec else { continue };
        let Some(campaign) = desired.campaigns.get(&manifest.name) else { continue };
        let channels = channels(campaign, desired);
        if channels.is_empty() {
            continue;
        }
        let (days, fallback) = days(manifests, manifest, spec, campaign);
        for at in &days {
            let way = ways.entry((at.manifest.kind, &at.manifest.name)).or_default();
            way.extend(channels.iter().map(|(name, _)| (*name).clone()));
        }
        let before = found.len();
        let Some(fallback) = fallback else { continue };
        misfits(manifest, spec, &channels, &days, &fallback, found);
        if found[before..].iter().any(Diagnostic::is_error) {
            findings.broken.insert(manifest.name.clone());
        }
    }
    for kind in [Kind::Sequence, Kind::Campaign] {
        for manifest in manifests.of_kind(kind) {
            too_long(manifest, ways.get(&(kind, &manifest.name)), desired, found);
        }
    }
    findings
}

/// Warns of channels by which no account can send.
fn numbers(manifests: &Manifests<'_, '_>, desired: &Desired) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if desired.accounts.values().any(|account| account.sender.is_some()) {
        return found;
    }
    for manifest in manifests.of_kind(Kind::Channel) {
        let channel = desired.channels.get(&manifest.name);
        if matches!(channel, Some(Channel::WhatsappCloud(spec)) if spec.phone_number_id.is_none()) {
            let message = "nobody can send by it: the channel has no `phoneNumberId`, and no `Account` a `sender`";
            found.push(
                Diagnostic::new(Code::NoEffect, manifest.document.place("/spec/type"), message).help(
                    "add `phoneNumberId:` for all accounts, or give each account the id of its number as `sender`",
                ),
            );
        }
    }
    found
}

/// Returns the channels that a campaign may use, as far as the tree names them.
pub(in crate::core::manifest) fn channels<'a>(campaign: &'a Campaign, desired: &'a Desired) -> Vec<(&'a Name, Takes)> {
    let mut names: BTreeSet<&Name> = BTreeSet::new();
    if let Some(own) = &campaign.channel {
        names.insert(own);
    } else {
        names.extend(&desired.defaults.channel);
        let concerned = desired.accounts.values().filter(|account| may_share(&account.accounts, &campaign.accounts));
        names.extend(concerned.filter_map(|account| account.channel.as_ref()));
    }
    names.into_iter().filter_map(|name| Some((name, desired.channels.get(name)?.takes()))).collect()
}

/// Returns true if both may select the same account. For labels the files cannot tell, so the answer is true.
pub(in crate::core::manifest) fn may_share(first: &AccountSelector, second: &AccountSelector) -> bool {
    match (first, second) {
        (AccountSelector::Names(first), AccountSelector::Names(second)) => {
            first.iter().any(|name| second.contains(name))
        }
        _ => true,
    }
}

/// Returns the days of a campaign in order, and the fallback language.
fn days<'a, 'f>(
    manifests: &Manifests<'a, 'f>,
    manifest: &'a Manifest<'f>,
    spec: &'a CampaignSpec,
    campaign: &Campaign,
) -> (Vec<DayAt<'a, 'f>>, Option<Language>) {
    let own = spec.days.as_deref().unwrap_or_default();
    let at = |manifest| move |(index, day)| DayAt { day, manifest, index };
    let mut days: Vec<DayAt<'a, 'f>> = own.iter().enumerate().map(at(manifest)).collect();
    let sequence = manifests.get(Kind::Sequence, &campaign.sequence);
    let Some((sequence, Some(Spec::Sequence(base)))) = sequence.map(|manifest| (manifest, &manifest.spec)) else {
        return (days, sole_language(own));
    };
    let rest = base.days.iter().enumerate().filter(|(_, day)| own.iter().all(|other| other.day != day.day));
    days.extend(rest.map(at(sequence)));
    days.sort_by_key(|at| at.day.day);
    (days, base.fallback())
}

/// Reports days that a channel cannot carry, at the campaign, since the days may fit other channels.
fn misfits(
    manifest: &Manifest<'_>,
    spec: &CampaignSpec,
    channels: &[(&Name, Takes)],
    days: &[DayAt<'_, '_>],
    fallback: &Language,
    found: &mut Vec<Diagnostic>,
) {
    let loads: Vec<Load<'_>> = days.iter().map(|at| load(at.day)).collect();
    for (channel, takes) in channels {
        for unfit in unfit(channel, *takes, &loads, fallback) {
            let pointer = if spec.channel_ref.is_some() { "/spec/channelRef" } else { "/metadata/name" };
            let message = format!("{}: see {} of the campaign `{}`", unfit.sentence, unfit.which(), manifest.name);
            let first = days.iter().find(|at| unfit.days.contains(&at.day.day));
            let diagnostic = Diagnostic::new(unfit.code, manifest.document.place(pointer), message).help(unfit.help);
            found.push(match first.map(|at| at.place(unfit.key)) {
                Some(place) => diagnostic.related(place, "the first of them"),
                None => diagnostic,
            });
        }
    }
}

impl DayAt<'_, '_> {
    fn place(&self, key: &str) -> Place {
        self.manifest.document.key_place(&format!("/spec/days/{}/{key}", self.index))
    }
}

fn load(day: &DaySpec) -> Load<'_> {
    let media = day.media.as_deref().unwrap_or_default();
    Load {
        number: day.day,
        text: &day.text,
        subject: &day.subject,
        media: media.iter().map(|one| one.kind).collect(),
        has_upload: media.iter().any(|one| one.id.is_some()),
        has_caption: media.iter().any(|one| one.caption.is_some()),
        has_template: day.whatsapp_template.is_some(),
        has_header: day.whatsapp_template.as_ref().is_some_and(WhatsappTemplateSpec::has_header),
    }
}

/// Warns of texts and captions longer than their channel allows; without a named channel, longer than WhatsApp allows.
fn too_long(manifest: &Manifest<'_>, ways: Option<&BTreeSet<Name>>, desired: &Desired, found: &mut Vec<Diagnostic>) {
    let days = match &manifest.spec {
        Some(Spec::Sequence(sequence)) => sequence.days.as_slice(),
        Some(Spec::Campaign(campaign)) => campaign.days.as_deref().unwrap_or_default(),
        _ => return,
    };
    let named = ways.into_iter().flatten();
    let named = named.filter_map(|name| Some((format!("`{name}`"), desired.channels.get(name)?.takes())));
    let mut takes: Vec<(String, Takes)> = named.collect();
    if takes.is_empty() {
        takes.push(("WhatsApp".to_owned(), Takes::ANYWHERE));
    }
    let mut say = |text: &str, what: &str, most: &dyn Fn(&Takes) -> Option<usize>, place: &dyn Fn() -> Place| {
        let shortest = takes.iter().filter_map(|(name, takes)| Some((most(takes)?, name))).min();
        let Some((most, name)) = shortest.filter(|(most, _)| text.len() > *most) else { return };
        let chars = text.chars().count();
        if chars > most {
            let message = format!("the {what} has {chars} characters; {name} takes {most} at most");
            found.push(Diagnostic::new(Code::TextTooLong, place(), message).help("shorten it"));
        }
    };
    for (index, day) in days.iter().enumerate() {
        let at = format!("/spec/days/{index}");
        let media = day.media.as_deref().unwrap_or_default();
        let most = |takes: &Takes| if takes.text_is_caption && !media.is_empty() { takes.caption } else { takes.text };
        for (language, text) in &day.text {
            say(text, "text", &most, &|| place_of_text(manifest, &format!("{at}/text"), language));
        }
        for (number, medium) in media.iter().enumerate() {
            let place = || manifest.document.key_place(&format!("{at}/media/{number}/caption"));
            say(medium.caption.as_deref().unwrap_or_default(), "caption", &|takes| takes.caption, &place);
        }
    }
}

/// Returns the place of a text. The file may spell the language in another case.
fn place_of_text(manifest: &Manifest<'_>, at: &str, language: &Language) -> Place {
    let texts = manifest.document.node(at).map(Node::entries).unwrap_or_default();
    let key = texts.iter().find(|(key, _)| Language::parse(&key.name).is_ok_and(|parsed| parsed == *language));
    manifest.document.key_place(&key.map_or_else(|| at.to_owned(), |(key, _)| format!("{at}/{}", key.name)))
}
