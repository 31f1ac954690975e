//! The checks, each on its own.

use serde::Serialize;

use super::question::Question;
use super::verdict::{Hold, Verdict};
use crate::core::domain::{Consent, Opening, Timestamp};
use crate::core::lifecycle::run::Phase;
use crate::core::lifecycle::target::Exit;
use crate::core::manifest::desired::ConsentPolicy;

/// One of the questions behind the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    RunActive,
    Sending,
    Subscription,
    Connected,
    LaneRestriction,
    Paid,
    Consent,
    Window,
    AccountCap,
    CampaignCap,
    WrittenToday,
    Pacing,
}

impl Check {
    /// All checks in the order in which they are asked.
    pub const ALL: [Self; 12] = [
        Self::RunActive,
        Self::Sending,
        Self::Subscription,
        Self::Connected,
        Self::LaneRestriction,
        Self::Paid,
        Self::Consent,
        Self::Window,
        Self::AccountCap,
        Self::CampaignCap,
        Self::WrittenToday,
        Self::Pacing,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RunActive => "run active",
            Self::Sending => "account sending",
            Self::Subscription => "account subscription",
            Self::Connected => "account connected",
            Self::LaneRestriction => "healthy",
            Self::Paid => "paid",
            Self::Consent => "consent and suppression",
            Self::Window => "window",
            Self::AccountCap => "account daily cap",
            Self::CampaignCap => "campaign daily cap",
            Self::WrittenToday => "one message a day",
            Self::Pacing => "pacing",
        }
    }

    /// What it says on its own; `None` lets pass.
    pub fn verdict(self, question: &Question) -> Option<Verdict> {
        match self {
            Self::RunActive => run_active(question),
            Self::Sending => sending(question),
            Self::Subscription => subscription(question),
            Self::Connected => connected(question),
            Self::LaneRestriction => halt(question),
            Self::Paid => paid(question),
            Self::Consent => consent(question),
            Self::Window => window(question),
            Self::AccountCap => account_cap(question),
            Self::CampaignCap => campaign_cap(question),
            Self::WrittenToday => written_today(question),
            Self::Pacing => pacing(question),
        }
    }
}

/// `None` when `when` is not so.
fn hold(when: bool, reason: Hold, until: Option<Timestamp>) -> Option<Verdict> {
    when.then_some(Verdict::Hold { reason, until })
}

fn run_active(q: &Question) -> Option<Verdict> {
    if q.run.end_at.is_some_and(|end| end <= q.now) {
        return Some(Verdict::Exit(Exit::Expired));
    }
    match q.run.phase {
        Phase::Active => None,
        Phase::Cancelled => Some(Verdict::Exit(Exit::Cancelled)),
        Phase::Draft | Phase::Scheduled | Phase::Paused | Phase::Completed => hold(true, Hold::RunNotActive, None),
    }
}

fn sending(q: &Question) -> Option<Verdict> {
    hold(!q.sending, Hold::SendingOff, None)
}

fn subscription(q: &Question) -> Option<Verdict> {
    hold(q.account.is_expired(q.now), Hold::SubscriptionExpired, None)
}

fn connected(q: &Question) -> Option<Verdict> {
    hold(!q.account.connected, Hold::Disconnected, None)
}

fn halt(q: &Question) -> Option<Verdict> {
    let halt = q.account.halt.filter(|halt| !halt.is_over(q.now))?;
    hold(true, Hold::RunRestriction, halt.until)
}

fn paid(q: &Question) -> Option<Verdict> {
    let person = q.person?;
    (person.paid && q.run.exit_on_paid).then_some(Verdict::Exit(Exit::Paid))
}

fn consent(q: &Question) -> Option<Verdict> {
    let person = q.person?;
    match (person.suppressed, person.consent, q.run.consent) {
        (true, _, _) | (_, Some(Consent::OptedOut), _) => Some(Verdict::Exit(Exit::OptedOut)),
        _ if person.near_opt_out => hold(true, Hold::NearOptOut, None),
        (_, Some(Consent::OptedIn), _) | (_, None, ConsentPolicy::Legacy) => None,
        (_, None, ConsentPolicy::Required) => hold(true, Hold::ConsentMissing, None),
    }
}

fn window(q: &Question) -> Option<Verdict> {
    match q.opening {
        Opening::Open(_) => None,
        Opening::Opens(at) => hold(true, Hold::OutsideWindow, Some(at)),
        Opening::Never => hold(true, Hold::OutsideWindow, None),
    }
}

fn account_cap(q: &Question) -> Option<Verdict> {
    hold(q.account_quota.left() == 0, Hold::AccountCap, Some(q.day_ends_at))
}

fn campaign_cap(q: &Question) -> Option<Verdict> {
    hold(q.campaign_quota.left() == 0, Hold::CampaignCap, Some(q.day_ends_at))
}

fn written_today(q: &Question) -> Option<Verdict> {
    let person = q.person?;
    // A clock or zone that moved back must not open a second message for a day already used.
    let used = person.last_written_on.is_some_and(|day| day >= person.today);
    hold(used, Hold::WrittenToday, Some(q.day_ends_at))
}

fn pacing(q: &Question) -> Option<Verdict> {
    let ahead = |at: Option<Timestamp>| at.filter(|at| *at > q.now);
    match (ahead(q.next_slot_at), ahead(q.account.throttled_until)) {
        (slot, Some(until)) if slot.is_none_or(|slot| slot < until) => hold(true, Hold::Throttled, Some(until)),
        (slot, _) => hold(slot.is_some(), Hold::Pacing, slot),
    }
}
