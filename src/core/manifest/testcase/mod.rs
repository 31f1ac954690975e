//! `kind: CampaignTest`: a story with people, a clock and expectations, told to the whole tree.
//!
//! `spec` and `expect_spec` are the kind as it is written, `case` is what runs. Whatever can be known to be
//! wrong without running it is found here: within the test by `check`, against the tree by `check_against`. A test
//! is no object of the desired state: planning and applying know nothing of it.

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
