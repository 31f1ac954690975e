//! A test, ready to run: instants instead of lengths of time, one variant a step, and the place of everything that
//! can turn out wrong.

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
    /// Of its name.
    pub place: Place,
    /// When it begins.
    pub clock: Timestamp,
    pub accounts: Vec<At<AccountSpec>>,
    pub referrals: Vec<At<ReferralSpec>>,
    pub faults: Vec<Fault>,
    /// Instead of manifests of the tree, or besides them.
    pub overlay: Vec<At<Written>>,
    pub steps: Vec<At<Step>>,
}

/// Something with its place in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct At<T> {
    pub place: Place,
    pub it: T,
}

/// How the next hand-overs of one message end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub referral: String,
    pub day: u16,
    /// `None`: of any campaign.
    pub campaign: Option<Name>,
    pub outcome: FaultOutcome,
    pub times: u16,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Time goes on up to this instant, never back.
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
    /// A JSON merge patch of a manifest that is there.
    Patch { kind: Kind, name: Name, patch: Value },
    /// A manifest that replaces one or is added.
    Whole(Written),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    pub order: Order,
    /// `None`: every campaign.
    pub campaign: Option<Name>,
    /// `None`: every account.
    pub account: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    Give { action: OverrideAction, reason: String, lasting: Option<Period> },
    Clear,
}

/// What must be so at one point.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expectation {
    pub messages: Option<Rows>,
    pub targets: Option<Rows>,
    pub runs: Option<Rows>,
    pub plan: Option<PlanExpectation>,
}

/// What the last edit must have come to.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanExpectation {
    pub place: Place,
    pub changes: Option<Rows>,
    pub count: Option<u64>,
    /// Refused with a sentence that contains this.
    pub refused: Option<String>,
    /// The files had errors.
    pub broken: Option<bool>,
}

/// Rows of one table, as they must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Rows {
    /// Each matches at least one.
    Each(Vec<At<Row>>),
    /// They match one to one; nothing is left over.
    Only(Place, Vec<At<Row>>),
    /// So many match.
    Count(u64, At<Row>),
}

/// Conditions that hold together.
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

/// The conditions of a row, in the order of the language.
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
