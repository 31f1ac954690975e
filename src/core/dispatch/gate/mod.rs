//! The gate: may this target be written to now? The one answer, with its reasons.
//!
//! The order of the checks is the order of SPEC §4: what concerns the run and the account comes first, then the
//! person, then time and quota. The first check that does not pass decides.

mod check;
mod inputs;

use std::fmt;

use serde::Serialize;

pub use self::check::Check;
pub use self::inputs::Setting;
use crate::core::domain::{Consent, NaiveDate, Opening, Timestamp};
use crate::core::lifecycle::run::{Phase, Unable};
use crate::core::lifecycle::target::Exit;
use crate::core::manifest::desired::ConsentPolicy;

/// Everything the answer depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub now: Timestamp,
    pub run: Run,
    /// Whether sending is switched on for the account.
    pub sending: bool,
    pub account: Account,
    /// `None` asks for the run as a whole: could anybody be written to now?
    pub person: Option<Person>,
    /// Whether the run's window is open, in the zone that counts.
    pub opening: Opening,
    pub account_quota: Quota,
    pub campaign_quota: Quota,
    /// When the account's local day ends and daily quotas start anew.
    pub day_ends_at: Timestamp,
    /// The next instant at which the account's pace admits a message.
    pub next_slot_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub phase: Phase,
    pub end_at: Option<Timestamp>,
    pub exit_on_paid: bool,
    pub consent: ConsentPolicy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// `None`: the export does not say, so it counts as running.
    pub subscription_ends_at: Option<Timestamp>,
    pub connected: bool,
    /// Nothing may leave, for its own sake.
    pub halt: Option<Halt>,
    /// Its number was too fast, and waits until then.
    pub throttled_until: Option<Timestamp>,
}

/// What stops an account, or the channel by which it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Halt {
    /// `None`: until a person lifts it.
    pub until: Option<Timestamp>,
}

impl Halt {
    fn is_over(self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

impl Account {
    /// One of which nothing more is known.
    pub fn new(subscription_ends_at: Option<Timestamp>, connected: bool) -> Self {
        Self { subscription_ends_at, connected, halt: None, throttled_until: None }
    }

    /// Whether the subscription is over at `now`.
    pub fn is_expired(self, now: Timestamp) -> bool {
        self.subscription_ends_at.is_some_and(|end| end <= now)
    }

    /// Why nothing can leave for it at `now`, if so.
    pub fn unable(self, now: Timestamp) -> Option<Unable> {
        match self {
            _ if self.is_expired(now) => Some(Unable::SubscriptionExpired),
            Self { connected: false, .. } => Some(Unable::Disconnected),
            Self { connected: true, .. } => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    pub paid: bool,
    pub consent: Option<Consent>,
    pub suppressed: bool,
    /// What they wrote may mean that they want no more messages, and nobody has read it yet.
    pub near_opt_out: bool,
    /// The local day of the last message that left for this person, in any campaign of the account.
    pub last_written_on: Option<NaiveDate>,
    /// The account's local day.
    pub today: NaiveDate,
}

/// A daily cap and what was taken of it today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// `None`: no cap.
    pub cap: Option<u32>,
    pub taken: u32,
}

impl Quota {
    /// How many more may leave today.
    pub fn left(self) -> u32 {
        self.cap.map_or(u32::MAX, |cap| cap.saturating_sub(self.taken))
    }
}

/// What the gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Send,
    /// Not now; `until` is when it is worth asking again, `None` when only an event can change it.
    Hold {
        reason: Hold,
        until: Option<Timestamp>,
    },
    Exit(Exit),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    RunNotActive,
    SendingOff,
    SubscriptionExpired,
    Disconnected,
    Halted,
    ConsentMissing,
    NearOptOut,
    OutsideWindow,
    AccountCap,
    CampaignCap,
    WrittenToday,
    Pacing,
    Throttled,
}

impl Hold {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RunNotActive => "run-not-active",
            Self::SendingOff => "sending-off",
            Self::SubscriptionExpired => "subscription-expired",
            Self::Disconnected => "disconnected",
            Self::Halted => "halted",
            Self::ConsentMissing => "consent-missing",
            Self::NearOptOut => "near-opt-out",
            Self::OutsideWindow => "outside-window",
            Self::AccountCap => "account-cap",
            Self::CampaignCap => "campaign-cap",
            Self::WrittenToday => "written-today",
            Self::Pacing => "pacing",
            Self::Throttled => "throttled",
        }
    }

    /// What it means, as the end of a sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::RunNotActive => "the run is not active",
            Self::SendingOff => "sending is off for the account",
            Self::SubscriptionExpired => "the account's subscription has ended",
            Self::Disconnected => "the account's WhatsApp is not connected",
            Self::Halted => "the account, or the channel it sends by, was stopped for its own sake",
            Self::ConsentMissing => "there is no consent on record",
            Self::NearOptOut => "their reply may mean that they want no more messages; somebody must read it",
            Self::OutsideWindow => "it is outside the hours in which the campaign may write",
            Self::AccountCap => "the account has reached its messages of the day",
            Self::CampaignCap => "the run has reached its messages of the day",
            Self::WrittenToday => "this person was written to today",
            Self::Pacing => "the account keeps its pace between two messages",
            Self::Throttled => "the account's number was too fast for its provider",
        }
    }

    /// Whom the reason concerns: only this person, the whole run, or the whole account.
    pub const fn scope(self) -> Scope {
        match self {
            Self::ConsentMissing | Self::NearOptOut | Self::WrittenToday => Scope::Person,
            // Another run may go by another channel.
            Self::RunNotActive | Self::Halted | Self::OutsideWindow | Self::CampaignCap => Scope::Run,
            Self::SendingOff
            | Self::SubscriptionExpired
            | Self::Disconnected
            | Self::AccountCap
            | Self::Pacing
            | Self::Throttled => Scope::Account,
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Person,
    Run,
    Account,
}

/// A check with what it went by and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub check: Check,
    /// In words.
    pub inputs: String,
    /// What it says on its own; `None` lets pass.
    pub verdict: Option<Verdict>,
    /// Whether this is the first that does not let pass: it has the say.
    pub decides: bool,
}

/// The first check that does not pass, else [`Verdict::Send`].
pub fn decide(question: &Question) -> Verdict {
    Check::ALL.into_iter().find_map(|check| check.verdict(question)).unwrap_or(Verdict::Send)
}

/// Every check in order; those after the one that decides are told too.
pub fn steps(question: &Question, setting: &Setting<'_>) -> Vec<Step> {
    let mut open = true;
    let step = |check: Check| {
        let verdict = check.verdict(question);
        let decides = verdict.is_some() && open;
        open &= verdict.is_none();
        Step { check, inputs: inputs::inputs(check, question, setting), verdict, decides }
    };
    Check::ALL.into_iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::{Account, Check, Halt, Hold, Person, Question, Quota, Run, Verdict, decide};
    use crate::core::domain::{Consent, Opening, Timestamp};
    use crate::core::lifecycle::run::Phase;
    use crate::core::lifecycle::target::Exit;
    use crate::core::manifest::desired::ConsentPolicy;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn person() -> Person {
        Person {
            paid: false,
            consent: Some(Consent::OptedIn),
            suppressed: false,
            near_opt_out: false,
            last_written_on: Some("2026-11-30".parse().unwrap()),
            today: "2026-12-01".parse().unwrap(),
        }
    }

    fn yes() -> Question {
        Question {
            now: at("2026-12-01T08:00:00Z"),
            run: Run { phase: Phase::Active, end_at: None, exit_on_paid: true, consent: ConsentPolicy::Required },
            sending: true,
            account: Account::new(None, true),
            person: Some(person()),
            opening: Opening::Open(at("2026-12-01T19:00:00Z")),
            account_quota: Quota { cap: Some(2), taken: 1 },
            campaign_quota: Quota { cap: None, taken: 9 },
            day_ends_at: at("2026-12-01T23:00:00Z"),
            next_slot_at: Some(at("2026-12-01T08:00:00Z")),
        }
    }

    #[test]
    fn every_check_in_order_with_its_verdict() {
        let someone = |change: fn(&mut Person)| {
            let mut person = person();
            change(&mut person);
            Question { person: Some(person), ..yes() }
        };
        let cases = [
            ("all well", yes()),
            ("run paused", Question { run: Run { phase: Phase::Paused, ..yes().run }, ..yes() }),
            ("run cancelled", Question { run: Run { phase: Phase::Cancelled, ..yes().run }, ..yes() }),
            ("run over", Question { run: Run { end_at: Some(yes().now), ..yes().run }, ..yes() }),
            ("sending off", Question { sending: false, ..yes() }),
            ("expired", Question { account: Account::new(Some(yes().now), true), ..yes() }),
            ("offline", Question { account: Account::new(None, false), ..yes() }),
            ("halted", {
                let halt = Some(Halt { until: None });
                Question { account: Account { halt, ..yes().account }, ..yes() }
            }),
            ("halted for a while", {
                let halt = Some(Halt { until: Some(at("2026-12-01T09:00:00Z")) });
                Question { account: Account { halt, ..yes().account }, ..yes() }
            }),
            ("halted until now", {
                let halt = Some(Halt { until: Some(yes().now) });
                Question { account: Account { halt, ..yes().account }, ..yes() }
            }),
            ("paid", someone(|p| p.paid = true)),
            ("paid, asked for", {
                let question = someone(|p| p.paid = true);
                Question { run: Run { exit_on_paid: false, ..yes().run }, ..question }
            }),
            ("suppressed", someone(|p| p.suppressed = true)),
            ("opted out", someone(|p| p.consent = Some(Consent::OptedOut))),
            ("unclear reply", someone(|p| p.near_opt_out = true)),
            ("unclear, opted out", { someone(|p| (p.near_opt_out, p.consent) = (true, Some(Consent::OptedOut))) }),
            ("unknown consent", someone(|p| p.consent = None)),
            ("legacy consent", {
                let question = someone(|p| p.consent = None);
                Question { run: Run { consent: ConsentPolicy::Legacy, ..yes().run }, ..question }
            }),
            ("night", Question { opening: Opening::Opens(at("2026-12-02T07:00:00Z")), ..yes() }),
            ("no window", Question { opening: Opening::Never, ..yes() }),
            ("account cap", Question { account_quota: Quota { cap: Some(2), taken: 2 }, ..yes() }),
            ("campaign cap", Question { campaign_quota: Quota { cap: Some(9), taken: 9 }, ..yes() }),
            ("written today", someone(|p| p.last_written_on = Some(p.today))),
            ("too fast", Question { next_slot_at: Some(at("2026-12-01T08:01:30Z")), ..yes() }),
            ("too fast for the provider", {
                let throttled_until = Some(at("2026-12-01T08:00:04Z"));
                Question { account: Account { throttled_until, ..yes().account }, ..yes() }
            }),
        ];
        let mut table = String::new();
        for (name, question) in &cases {
            let verdict = match decide(question) {
                Verdict::Send => "send".to_owned(),
                Verdict::Hold { reason, until: Some(until) } => format!("hold {reason} until {}", until.to_rfc3339()),
                Verdict::Hold { reason, until: None } => format!("hold {reason}"),
                Verdict::Exit(exit) => format!("exit {exit}"),
            };
            table += &format!("{name:<26} {verdict}\n");
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn an_exit_beats_a_hold_that_comes_later_and_the_order_is_fixed() {
        let mut question = Question { opening: Opening::Never, ..yes() };
        question.person = Some(Person { paid: true, ..person() });
        assert_eq!(decide(&question), Verdict::Exit(Exit::Paid));
        question.run.phase = Phase::Paused;
        assert_eq!(decide(&question), Verdict::Hold { reason: Hold::RunNotActive, until: None });
        assert_eq!(Check::ALL.into_iter().filter_map(|check| check.verdict(&question)).count(), 3);
        question.run.phase = Phase::Active;
        question.sending = false;
        question.account.connected = false;
        assert_eq!(decide(&question), Verdict::Hold { reason: Hold::SendingOff, until: None });
    }

    #[test]
    fn the_run_as_a_whole_is_asked_without_a_person() {
        assert_eq!(decide(&Question { person: None, ..yes() }), Verdict::Send);
    }
}
