//! The dispatch decision for one account: which due people get a message now, which wait and which leave.
//!
//! The rules are pure: they get the rows that the claiming transaction read under lock, and return its writes. The gate
//! runs once per person. Quota and pace advance between two people, so a cap of 2 lets 2 messages out.

mod selection;

use std::sync::Arc;

pub use self::selection::{Due, Selection, Send, select};
use crate::core::dispatch::account_health::SendStats;
use crate::core::dispatch::gate;
use crate::core::dispatch::gate::{Hold, LaneRestriction, Question, Quota, Verdict};
use crate::core::dispatch::pacing;
use crate::core::dispatch::pacing::Pace;
use crate::core::dispatch::program::{CampaignProgram, Program, Recipient, Referrer};
use crate::core::domain::{
    AccountId, CampaignId, Consent, Language, MessageKey, NaiveDate, Name, Opening, Phone, ReferralId, TargetKey,
    Timestamp, Zone,
};
use crate::core::lifecycle::run::{Phase, Reason, acting};
use crate::core::manifest::desired::ZoneOf;
use crate::core::manifest::desired::policy::AccountPolicy;

/// The account and its usage of the day.
#[derive(Debug, Clone)]
pub struct Lane {
    pub account: AccountId,
    pub name: String,
    pub language: Option<Language>,
    pub zone: Zone,
    pub facts: gate::Account,
    pub taken: DayCount,
    pub pace: Pace,
    pub policy: Arc<AccountPolicy>,
    pub send_stats: SendStats,
    /// The channels under a restriction, each with the end of it.
    pub halted_channels: Vec<(String, Timestamp)>,
}

impl Lane {
    /// Returns the account as the gate sees it for a campaign that sends by `channel`.
    fn facts_by(&self, channel: Option<&Name>) -> gate::Account {
        let is_it = |halted: &&(String, Timestamp)| channel.is_some_and(|name| name.as_str() == halted.0);
        let of_channel =
            self.halted_channels.iter().find(is_it).map(|(_, until)| LaneRestriction { until: Some(*until) });
        gate::Account { halt: self.facts.halt.or(of_channel), ..self.facts }
    }

    /// Returns the pace at `now`. A wait never exceeds the current pacing, whatever pacing applied at the last message.
    fn pace_at(&self, now: Timestamp) -> Pace {
        pacing::in_force(&self.policy.pacing, self.pace, now)
    }
}

/// A count that restarts every local day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DayCount {
    pub on: Option<NaiveDate>,
    pub count: u32,
}

impl DayCount {
    /// Returns the count of `today`.
    pub fn of(self, today: NaiveDate) -> u32 {
        // A count from a later day (the zone or the clock moved back) still counts: a cap never opens twice.
        if self.on.is_some_and(|on| on >= today) { self.count } else { 0 }
    }
}

/// A run of the account.
#[derive(Debug, Clone, Copy)]
pub struct LaneRun {
    pub campaign: CampaignId,
    pub phase: Phase,
    pub reason: Reason,
    pub taken: DayCount,
}

/// A person whose next message is due.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub campaign: CampaignId,
    pub referral: ReferralId,
    pub day: u16,
    pub due_at: Timestamp,
    pub failed_days: u16,
    pub phone: Phone,
    pub email: Option<String>,
    pub recipient: Recipient,
    pub paid: bool,
    pub consent: Option<Consent>,
    pub suppressed: bool,
    pub near_opt_out: bool,
    pub last_written_on: Option<NaiveDate>,
    pub attempt: Attempt,
}

/// The attempt for a day: the first, or a further one after an earlier message of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    First,
    /// The day was attempted before: only a certain failure is attempted again.
    Further,
}

impl Candidate {
    fn person(&self, today: NaiveDate) -> gate::Person {
        gate::Person {
            paid: self.paid,
            consent: self.consent,
            suppressed: self.suppressed,
            near_opt_out: self.near_opt_out,
            last_written_on: self.last_written_on,
            today,
        }
    }
}

/// Returns the batch limit: how many due people of one run to read, given its quotas and pace.
pub fn batch_limit(lane: &Lane, run: &LaneRun, program: &Program, now: Timestamp, most: u32) -> u32 {
    let Some(campaign) = program.campaign(run.campaign) else { return 0 };
    let today = lane.zone.date(now);
    let question = Asking { lane, now }.question(campaign, run, lane.taken.of(today), run.taken.of(today));
    match gate::decide(&question) {
        Verdict::Send if lane.policy.pacing.is_off() => {
            most.min(question.account_quota.left()).min(question.campaign_quota.left())
        }
        // One slot is free; a few more people are read, so that those who leave or wait do not use it up.
        Verdict::Send => most.min(4),
        Verdict::Hold { .. } => 0,
        Verdict::Exit(_) => most,
    }
}

/// Returns the gate question of [`select()`] for its first candidate; `None` if the campaign is not in force.
pub fn question(
    lane: &Lane,
    run: &LaneRun,
    candidate: &Candidate,
    program: &Program,
    now: Timestamp,
) -> Option<Question> {
    let today = lane.zone.date(now);
    let campaign = program.campaign(run.campaign)?;
    let asking = Asking { lane, now };
    let question = asking.question(campaign, run, lane.taken.of(today), run.taken.of(today));
    Some(asking.about(&question, campaign, &candidate.recipient, candidate.person(today)))
}

/// Returns the first instant from `from` at which the gate would let this candidate pass.
///
/// The answer assumes that nobody else uses the quota. It is `None` when the person leaves, or when only an event can
/// let them pass.
pub fn earliest(
    lane: &Lane,
    run: &LaneRun,
    candidate: &Candidate,
    program: &Program,
    from: Timestamp,
) -> Option<Timestamp> {
    /// The limit exceeds the number of hold reasons; each lasts a day at most, except the window.
    const PATIENCE: usize = 16;
    let mut at = from;
    for _ in 0..PATIENCE {
        match gate::decide(&question(lane, run, candidate, program, at)?) {
            Verdict::Send => return Some(at),
            Verdict::Hold { until, .. } => at = until.filter(|until| *until > at)?,
            Verdict::Exit(_) => return None,
        }
    }
    None
}

/// Returns why a run of this lane cannot send now, and until when; `None` if it can.
pub fn hold(lane: &Lane, run: &LaneRun, program: &Program, now: Timestamp) -> Option<(Hold, Option<Timestamp>)> {
    let today = lane.zone.date(now);
    let campaign = program.campaign(run.campaign)?;
    let question = Asking { lane, now }.question(campaign, run, lane.taken.of(today), run.taken.of(today));
    match gate::decide(&question) {
        Verdict::Hold { reason, until } => Some((reason, until)),
        Verdict::Send | Verdict::Exit(_) => None,
    }
}

/// The part of a question that stays the same for all people.
struct Asking<'a> {
    lane: &'a Lane,
    now: Timestamp,
}

impl Asking<'_> {
    /// Returns the question for a run as a whole.
    fn question(&self, campaign: &CampaignProgram, run: &LaneRun, lane_taken: u32, run_taken: u32) -> Question {
        let schedule = &campaign.spec.schedule;
        let zone = campaign.zone(&self.lane.zone);
        let own_windows = schedule.zone == ZoneOf::Recipient;
        let opening = match schedule.windows.windows.is_empty() {
            true => Opening::Never,
            false if own_windows => Opening::ALWAYS,
            false => schedule.windows.opening(zone, self.now),
        };
        Question {
            now: self.now,
            run: gate::Run {
                phase: acting(run.phase, run.reason, campaign.spec.state),
                end_at: schedule.end_at.map(|end| end.at(zone)),
                exit_on_paid: campaign.spec.exit_on_paid,
                consent: campaign.spec.consent,
            },
            sending: self.lane.policy.sending.is_on(),
            account: self.lane.facts_by(campaign.channel(&self.lane.policy)),
            person: None,
            opening,
            own_windows,
            account_quota: Quota { cap: self.lane.policy.messages_per_day, taken: lane_taken },
            campaign_quota: Quota { cap: campaign.spec.limits.messages_per_day, taken: run_taken },
            day_ends_at: self.lane.zone.next_day(self.now),
            next_slot_at: self.lane.pace_at(self.now).next_slot_at,
        }
    }

    /// Returns the question for one person of a run, in the local time that counts for them.
    fn about(&self, question: &Question, campaign: &CampaignProgram, to: &Recipient, person: gate::Person) -> Question {
        let windows = &campaign.spec.schedule.windows;
        let opening = if question.own_windows && !windows.windows.is_empty() {
            windows.opening(campaign.zone_for(to.whereabouts(), &self.lane.zone), self.now)
        } else {
            question.opening
        };
        Question { opening, person: Some(person), ..question.clone() }
    }

    fn send(&self, campaign: &CampaignProgram, target: TargetKey, candidate: Candidate) -> Result<Send, String> {
        let referrer = Referrer { name: &self.lane.name, language: self.lane.language.as_ref(), zone: &self.lane.zone };
        let content =
            campaign.message(candidate.day, &candidate.recipient, referrer).map_err(|fault| fault.to_string())?;
        let day = i16::try_from(candidate.day).map_err(|_| "the sequence is too long".to_owned())?;
        let zone = campaign.zone_for(candidate.recipient.whereabouts(), &self.lane.zone);
        Ok(Send {
            key: MessageKey { target, day },
            phone: candidate.phone,
            email: candidate.email,
            channel: campaign.channel(&self.lane.policy).cloned(),
            content,
            in_conversation: false,
            as_template: false,
            due_at: candidate.due_at,
            attempt: candidate.attempt,
            next: campaign.cadence.next(candidate.day, candidate.due_at, self.now, zone),
            failed_days: candidate.failed_days,
        })
    }
}
