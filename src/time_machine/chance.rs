//! Random payments and STOP replies of the people in a simulation.
//!
//! Each draw depends only on the seed, the person, the campaign's name and the day of the sequence, never on earlier
//! events. The same seed therefore gives the same answers after any other edit of the files.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Serialize;

use super::script::Delivery;
use crate::core::dispatch::program::Program;
use crate::core::domain::{AccountId, CampaignId, MessageKey, Name, ReferralId, Timestamp, mix};

/// The longest delay in hours between a message and the payment that it causes; the shortest is one hour.
pub const PAYS_WITHIN_HOURS: u64 = 48;
/// The longest delay in hours between a message and the STOP reply to it; the shortest is one hour.
pub const STOPS_WITHIN_HOURS: u64 = 6;

/// Probabilities, each from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Rates {
    /// The share of hand-overs that are refused permanently.
    pub failure: f64,
    /// The share of arrived messages after which the person pays, one hour to [`PAYS_WITHIN_HOURS`] later.
    pub paid: f64,
    /// The share of arrived messages that the person answers with STOP, one hour to [`STOPS_WITHIN_HOURS`] later.
    pub stop: f64,
}

/// A person who pays or replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Actor {
    pub(super) account: AccountId,
    pub(super) referral: ReferralId,
    pub(super) phone: String,
}

/// The payments and replies that are still to come, by instant.
#[derive(Debug)]
pub(super) struct Chance {
    seed: u64,
    rates: Rates,
    campaigns: BTreeMap<CampaignId, u64>,
    payments: BTreeMap<Timestamp, Vec<Actor>>,
    stops: BTreeMap<Timestamp, Vec<Actor>>,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Pays = 1,
    PaysWhen = 2,
    Restrictions = 3,
    StopsWhen = 4,
}

impl Chance {
    pub(super) fn new(seed: u64, rates: Rates, program: &Program) -> Self {
        let campaigns = program.campaigns().map(|(id, campaign)| (id, hash(&campaign.name))).collect();
        Self { seed, rates, campaigns, payments: BTreeMap::new(), stops: BTreeMap::new() }
    }

    /// Draws the payments and replies that follow from messages that arrived.
    pub(super) fn draw(&mut self, deliveries: Vec<Delivery>) {
        for Delivery { key, phone, at, .. } in deliveries {
            let MessageKey { target, day } = key;
            let campaign = self.campaigns.get(&target.campaign).copied().unwrap_or_default();
            let person = mix(self.seed ^ mix(target.referral.0.cast_unsigned()));
            let message = mix(person ^ campaign ^ u64::from(day.cast_unsigned()));
            let number = |what: What| mix(message ^ (what as u64));
            let actor = Actor { account: target.account, referral: target.referral, phone };
            if falls(number(What::Pays), self.rates.paid) {
                let after = hours(number(What::PaysWhen), PAYS_WITHIN_HOURS);
                self.payments.entry(at + after).or_default().push(actor.clone());
            }
            if falls(number(What::Restrictions), self.rates.stop) {
                let after = hours(number(What::StopsWhen), STOPS_WITHIN_HOURS);
                self.stops.entry(at + after).or_default().push(actor);
            }
        }
    }

    /// Removes and returns the payments up to `until`, each with its instant.
    pub(super) fn payments(&mut self, until: Timestamp) -> Vec<(Timestamp, Actor)> {
        take(&mut self.payments, until)
    }

    /// Removes and returns the replies up to `until`, each with its instant.
    pub(super) fn stops(&mut self, until: Timestamp) -> Vec<(Timestamp, Actor)> {
        take(&mut self.stops, until)
    }
}

fn take(all: &mut BTreeMap<Timestamp, Vec<Actor>>, until: Timestamp) -> Vec<(Timestamp, Actor)> {
    let later = all.split_off(&(until + TimeDelta::microseconds(1)));
    let due = std::mem::replace(all, later);
    due.into_iter().flat_map(|(at, actors)| actors.into_iter().map(move |actor| (at, actor))).collect()
}

/// Returns true if a uniformly distributed `number` falls within `share` of the range of `u64`.
fn falls(number: u64, share: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "a chance needs no more than a double has")]
    let part = (number >> 11) as f64 / (1_u64 << 53) as f64;
    part < share
}

/// Maps a number to a duration of 1 to `most` hours.
fn hours(number: u64, most: u64) -> TimeDelta {
    TimeDelta::hours(i64::try_from(1 + number % most).unwrap_or(1))
}

fn hash(name: &Name) -> u64 {
    name.as_str().bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)))
}
