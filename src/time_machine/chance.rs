//! What chance has people do in a simulation: pay after a message, or answer it with STOP.
//!
//! Every draw is made of the seed, the person, the campaign's name and the day of the sequence, never of what happened
//! before: the same seed gives the same answers, whatever else an edit of the files changes.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Serialize;

use super::script::Delivery;
use crate::core::dispatch::program::Program;
use crate::core::domain::{AccountId, CampaignId, MessageKey, Name, ReferralId, Timestamp, mix};

/// Whoever pays because of a message does so within so many hours after it, at least one.
pub const PAYS_WITHIN_HOURS: u64 = 48;
/// Whoever answers STOP does so within so many hours after the message, at least one.
pub const STOPS_WITHIN_HOURS: u64 = 6;

/// Shares from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Of the hand-overs that are refused for good.
    pub failure: f64,
    /// Of the messages that arrive and after which the person pays, between one hour and [`PAYS_WITHIN_HOURS`] later.
    pub paid: f64,
    /// Of the messages that arrive and that the person answers with STOP, up to [`STOPS_WITHIN_HOURS`] later.
    pub stop: f64,
}

/// Somebody who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Actor {
    pub(super) account: AccountId,
    pub(super) referral: ReferralId,
    pub(super) phone: String,
}

/// What is going to happen, hour by hour.
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

    /// Draws what follows from messages that arrived.
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

    /// Takes the payments up to `until`, each with its instant.
    pub(super) fn payments(&mut self, until: Timestamp) -> Vec<(Timestamp, Actor)> {
        take(&mut self.payments, until)
    }

    /// Takes the replies up to `until`, each with its instant.
    pub(super) fn stops(&mut self, until: Timestamp) -> Vec<(Timestamp, Actor)> {
        take(&mut self.stops, until)
    }
}

fn take(all: &mut BTreeMap<Timestamp, Vec<Actor>>, until: Timestamp) -> Vec<(Timestamp, Actor)> {
    let later = all.split_off(&(until + TimeDelta::microseconds(1)));
    let due = std::mem::replace(all, later);
    due.into_iter().flat_map(|(at, actors)| actors.into_iter().map(move |actor| (at, actor))).collect()
}

/// Whether a number that may be any falls within a share of all of them.
fn falls(number: u64, share: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "a chance needs no more than a double has")]
    let part = (number >> 11) as f64 / (1_u64 << 53) as f64;
    part < share
}

/// One to `most` hours.
fn hours(number: u64, most: u64) -> TimeDelta {
    TimeDelta::hours(i64::try_from(1 + number % most).unwrap_or(1))
}

fn hash(name: &Name) -> u64 {
    name.as_str().bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)))
}
