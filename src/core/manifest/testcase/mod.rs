//! `kind: CampaignTest`: a scenario with people, a clock and expectations, which runs against the whole tree.
//!
//! `spec` and `expect_spec` are the schema, `case` is the form that runs. Mistakes that show without a run are found
//! here: `check` looks within the test, `check_against` compares it with the tree. A test is not part of the desired
//! state, so planning and applying ignore it.

mod against;
mod case;
mod check;
mod expect_spec;
mod people;
mod resolve;
mod spec;
mod steps;
mod values;
pub mod words;

pub use self::case::{
    At, CampaignTest, Edit, Event, Expectation, Fault, Field, Order, Override, PlanExpectation, Row, Rows, Step, Wanted,
};
pub use self::spec::{AccountSpec, ConsentSpec, OverrideAction, ReceiptStatus, ReferralSpec};
pub use self::values::{FaultOutcome, Instant};

pub(super) use self::against::{Tree, check_against};
pub(super) use self::check::check;
pub(super) use self::resolve::resolve;
pub(super) use self::spec::CampaignTestSpec;
