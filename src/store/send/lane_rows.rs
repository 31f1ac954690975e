//! Column sets for the gate's inputs: lanes, their runs and their people. Sending and explaining read the same columns,
//! so that the reason shown is the reason used.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::core::dispatch::account_health::SendStats;
use crate::core::dispatch::gate;
use crate::core::dispatch::gate::LaneRestriction;
use crate::core::dispatch::lane::{Attempt, Candidate, DayCount, Lane, LaneRun};
use crate::core::dispatch::pacing::Pace;
use crate::core::dispatch::program::Recipient;
use crate::core::domain::{
    AccountId, CampaignId, Consent, Country, Language, NaiveDate, Phone, ReferralId, Timestamp, Zone,
};
use crate::core::lifecycle::run::{Phase, Reason};
use crate::core::manifest::desired::policy::Policies;
use crate::store::rows::{count, strange, zone};

/// Columns of [`LaneRow`] from `lane l` and `account a`.
macro_rules! lane_columns {
    () => {
        "l.account_id, l.wake_at, l.taken_on, l.taken, l.next_slot_at, l.wave, l.wave_sent, a.name, a.language, a.timezone,
         a.subscription_ends_at, a.whatsapp_status, a.external_id, a.attributes as labels,
         l.tally_since, l.tally_before_since, l.handed, l.failed, l.handed_before, l.failed_before, l.opted_out, l.opted_out_before,
         l.throttled_until,
         exists (select from account_halt h where h.account_id = l.account_id) as is_halted,
         (select until from account_halt h where h.account_id = l.account_id) as halted_until,
         array(select channel from channel_halt order by channel) as halted_channels,
         array(select until from channel_halt order by channel) as channels_until"
    };
}

/// Columns of [`LaneRunRow`] from `run`.
macro_rules! lane_run_columns {
    () => {
        "account_id, campaign_id, phase, reason, taken_on, taken"
    };
}

/// Columns of [`RecipientRow`] from `referral r`.
macro_rules! recipient_columns {
    () => {
        "r.name, r.language, r.country, r.timezone as own_timezone, r.profession, r.registered_at, r.attributes"
    };
}

/// Columns of [`CandidateRow`] besides [`recipient_columns`], from `target t`, `referral r` and [`candidate_messages`];
/// `t.due_at` is not null.
macro_rules! candidate_columns {
    () => {
        "t.account_id, t.campaign_id, t.referral_id, t.day, t.due_at, t.failed_days, r.phone, r.dialled, r.email,
         r.paid_at, r.consent,
         exists (select from suppression s where s.phone = r.phone)
           or exists (select from pending_stop s where s.phone = r.phone) as suppressed,
         exists (select from person_hold h where h.account_id in (t.account_id, 0) and h.phone = r.phone) as near_opt_out,
         w.last_written_on, coalesce(w.attempted, false) as attempted"
    };
}

/// The messages already written to a candidate, in any campaign, by one lookup of the person's messages.
macro_rules! candidate_messages {
    () => {
        "cross join lateral (
            select max(m.quota_date) as last_written_on, bool_or(m.campaign_id = t.campaign_id and m.day = t.day) as attempted
            from message m where m.account_id = t.account_id and m.referral_id = t.referral_id) w"
    };
}

pub(in crate::store) use {candidate_columns, candidate_messages, lane_columns, lane_run_columns, recipient_columns};

#[derive(sqlx::FromRow)]
pub(in crate::store) struct LaneRow {
    account_id: i32,
    pub(super) wake_at: Option<Timestamp>,
    taken_on: Option<NaiveDate>,
    taken: i32,
    next_slot_at: Option<Timestamp>,
    wave: i32,
    wave_sent: i32,
    name: String,
    language: Option<String>,
    timezone: String,
    subscription_ends_at: Option<Timestamp>,
    whatsapp_status: Option<String>,
    pub(in crate::store) external_id: String,
    pub(in crate::store) labels: Value,
    tally_since: Option<Timestamp>,
    tally_before_since: Option<Timestamp>,
    handed: i32,
    failed: i32,
    handed_before: i32,
    failed_before: i32,
    opted_out: i32,
    opted_out_before: i32,
    throttled_until: Option<Timestamp>,
    is_halted: bool,
    halted_until: Option<Timestamp>,
    halted_channels: Vec<String>,
    channels_until: Vec<Timestamp>,
}

impl LaneRow {
    /// Builds the lane, with the settings of `policies` for its account.
    pub(in crate::store) fn lane(self, policies: &Policies) -> Result<Lane, sqlx::Error> {
        let connected = self.whatsapp_status.as_deref().is_none_or(|status| status == "connected");
        Ok(Lane {
            policy: policies.of(&self.external_id, &self.labels),
            account: AccountId(self.account_id),
            name: self.name,
            language: self.language.and_then(|tag| Language::parse(&tag).ok()),
            zone: zone(&self.timezone)?,
            facts: gate::Account {
                halt: self.is_halted.then_some(LaneRestriction { until: self.halted_until }),
                throttled_until: self.throttled_until,
                ..gate::Account::new(self.subscription_ends_at, connected)
            },
            send_stats: SendStats {
                since: self.tally_since,
                before_since: self.tally_before_since,
                now: count(self.handed, self.failed, self.opted_out),
                before: count(self.handed_before, self.failed_before, self.opted_out_before),
            },
            halted_channels: self.halted_channels.into_iter().zip(self.channels_until).collect(),
            taken: DayCount { on: self.taken_on, count: self.taken.unsigned_abs() },
            pace: Pace {
                next_slot_at: self.next_slot_at,
                wave: usize::try_from(self.wave).unwrap_or_default(),
                wave_sent: self.wave_sent.unsigned_abs(),
            },
        })
    }
}

#[derive(sqlx::FromRow)]
pub(in crate::store) struct LaneRunRow {
    account_id: i32,
    campaign_id: i32,
    phase: String,
    reason: String,
    taken_on: Option<NaiveDate>,
    taken: i32,
}

impl LaneRunRow {
    pub(in crate::store) fn run(self) -> Result<(AccountId, LaneRun), sqlx::Error> {
        let phase = Phase::parse(&self.phase).ok_or_else(|| strange("a phase", &self.phase))?;
        let reason = Reason::parse(&self.reason).ok_or_else(|| strange("a reason", &self.reason))?;
        let taken = DayCount { on: self.taken_on, count: self.taken.unsigned_abs() };
        Ok((AccountId(self.account_id), LaneRun { campaign: CampaignId(self.campaign_id), phase, reason, taken }))
    }
}

#[derive(sqlx::FromRow)]
pub(in crate::store) struct RecipientRow {
    name: String,
    language: Option<String>,
    country: String,
    own_timezone: Option<String>,
    profession: Option<String>,
    registered_at: Timestamp,
    attributes: Value,
}

impl RecipientRow {
    pub(in crate::store) fn recipient(self) -> Result<Recipient, sqlx::Error> {
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let attributes = match self.attributes {
            Value::Object(map) => map.into_iter().map(|(key, value)| (key, text(value))).collect(),
            _ => BTreeMap::new(),
        };
        Ok(Recipient {
            name: self.name,
            language: self.language.and_then(|tag| Language::parse(&tag).ok()),
            country: Country::parse(&self.country).map_err(|_| strange("a country", &self.country))?,
            timezone: self.own_timezone.and_then(|name| Zone::parse(&name).ok()),
            profession: self.profession.unwrap_or_default(),
            registered_at: self.registered_at,
            attributes,
        })
    }
}

#[derive(sqlx::FromRow)]
pub(in crate::store) struct CandidateRow {
    account_id: i32,
    campaign_id: i32,
    referral_id: i64,
    day: i16,
    due_at: Timestamp,
    failed_days: i16,
    phone: String,
    dialled: Option<String>,
    email: Option<String>,
    #[sqlx(flatten)]
    recipient: RecipientRow,
    paid_at: Option<Timestamp>,
    consent: Option<String>,
    suppressed: bool,
    near_opt_out: bool,
    last_written_on: Option<NaiveDate>,
    attempted: bool,
}

impl CandidateRow {
    pub(in crate::store) fn candidate(self) -> Result<(AccountId, Candidate), sqlx::Error> {
        let consent = match self.consent.as_deref() {
            None => None,
            Some(consent) => Some(Consent::parse(consent).ok_or_else(|| strange("a consent", consent))?),
        };
        let candidate = Candidate {
            campaign: CampaignId(self.campaign_id),
            referral: ReferralId(self.referral_id),
            day: self.day.unsigned_abs(),
            due_at: self.due_at,
            failed_days: self.failed_days.unsigned_abs(),
            phone: Phone::trusted(self.phone).dialling(self.dialled),
            email: self.email,
            recipient: self.recipient.recipient()?,
            paid: self.paid_at.is_some(),
            consent,
            suppressed: self.suppressed,
            near_opt_out: self.near_opt_out,
            last_written_on: self.last_written_on,
            attempt: if self.attempted { Attempt::Further } else { Attempt::First },
        };
        Ok((AccountId(self.account_id), candidate))
    }
}
