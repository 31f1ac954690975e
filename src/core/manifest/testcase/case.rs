//! A test, ready to run: steps with instants instead of durations, one variant per step, and a place for everything
//! that can fail.

use serde::Serialize;
use serde_json::Value;

use super::spec::{AccountSpec, OverrideAction, ReceiptStatus, ReferralSpec};
use super::values::FaultOutcome;
use crate::core::diagnostic::Place;
use crate::core::domain::{Name, Period, Timestamp};
use crate::core::manifest::kind::Kind;
use crate::core::manifest::syntax::written::Written;

/// One test.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignTest {
    pub name: Name,
    /// The place of the name.
    pub place: Place,
    /// The instant at which the test begins.
    pub clock: Timestamp,
    pub accounts: Vec<At<AccountSpec>>,
    pub referrals: Vec<At<ReferralSpec>>,
    pub faults: Vec<Fault>,
    /// Manifests that replace manifests of the tree or add to them.
    pub overlay: Vec<At<Written>>,
    pub steps: Vec<At<Step>>,
}

/// A value with its place in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct At<T> {
    pub place: Place,
    pub it: T,
}

/// The result of the next sends of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub referral: String,
    pub day: u16,
    /// `None` means any campaign.
    pub campaign: Option<Name>,
    pub outcome: FaultOutcome,
    pub times: u16,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Advances the clock to this instant, never backwards.
    GoOn(Timestamp),
    Event(Event),
    Edit(Edit),
    Remove(Kind, Name),
    Restart,
    Override(Override),
    Expect(Box<Expectation>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Paid { referral: String },
    Registered(Box<ReferralSpec>),
    Reply { referral: String, text: String },
    Receipt { referral: String, day: u16, campaign: Option<Name>, status: ReceiptStatus },
    SubscriptionEnded { account: String },
    Disconnected { account: String },
    Connected { account: String },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// A JSON merge patch of an existing manifest.
    Patch { kind: Kind, name: Name, patch: Value },
    /// A manifest that replaces an existing one or is added.
    Whole(Written),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    pub order: Order,
    /// `None` means every campaign.
    pub campaign: Option<Name>,
    /// `None` means every account.
    pub account: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    Give { action: OverrideAction, reason: String, lasting: Option<Period> },
    Clear,
}

/// The conditions that must hold at one point of the test.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expectation {
    pub messages: Option<Rows>,
    pub targets: Option<Rows>,
    pub runs: Option<Rows>,
    pub plan: Option<PlanExpectation>,
}

/// The expected result of the last edit.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanExpectation {
    pub place: Place,
    pub changes: Option<Rows>,
    pub count: Option<u64>,
    /// The plan was refused with a sentence that contains this text.
    pub refused: Option<String>,
    /// The files had errors.
    pub broken: Option<bool>,
}

/// The expected rows of one table.
#[derive(Debug, Clone, PartialEq)]
pub enum Rows {
    /// Each row matches at least one actual row.
    Each(Vec<At<Row>>),
    /// The rows match the actual rows one to one, with none left over.
    Only(Place, Vec<At<Row>>),
    /// Exactly this many actual rows match.
    Count(u64, At<Row>),
}

/// Conditions that must hold together.
pub type Row = Vec<Field>;

#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub name: String,
    pub wanted: Wanted,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    Is(Value),
    Contains(String),
}

/// Returns the conditions of a row, in the order of the schema.
pub(super) fn fields(row: &impl Serialize) -> Vec<Field> {
    let written = serde_json::to_value(row).expect("rows have string keys only");
    let pairs = written.as_object().into_iter().flatten();
    pairs
        .map(|(key, value)| match (key.strip_suffix("Contains"), value) {
            (Some(name), Value::String(part)) => {
                Field { name: name.to_owned(), wanted: Wanted::Contains(part.clone()) }
            }
            _ => Field { name: key.clone(), wanted: Wanted::Is(value.clone()) },
        })
        .collect()
}
