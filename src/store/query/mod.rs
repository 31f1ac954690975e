//! The read-only queries for people and scripts, one file per noun. Their structs serialize to the JSON that
//! `docs/src/guides/scripts.md` promises.
//!
//! No counter is stored: these queries count targets and messages when they run.

mod accounts;
mod campaigns;
mod cases;
mod contact;
mod counts;
mod history;
mod holds;
mod listing;
mod log;
mod messages;
mod names;
mod overrides;
mod people;
mod questions;
mod quotas;
mod recipients;
pub mod report;
mod revisions;
mod rules;
mod runs;
mod suppressions;
mod targets;

use sqlx::{Postgres, Transaction};

pub use self::accounts::Account;
pub use self::campaigns::{Campaign, CampaignPlace, DayCounts, Phases};
pub use self::cases::{Case, Circumstances};
pub use self::contact::{Contact, Fact, Stay};
pub use self::counts::Counts;
pub use self::history::HistoryOf;
pub use self::history::entry::{Entry, EntryKind};
pub use self::holds::Held;
pub use self::listing::{MessagePlace, TargetPlace};
pub use self::log::{Cursor, Line, LineKind, LogOf, LogPlace};
pub use self::messages::Message;
pub use self::names::{Identity, TargetName};
pub use self::overrides::Override;
pub use self::people::{Person, RunState};
pub use self::questions::Asked;
pub use self::quotas::RunToday;
pub use self::recipients::{Author, Correspondence};
pub use self::revisions::{Manifest, Revision};
pub use self::rules::{Rules, Visible};
pub use self::runs::{EndCount, Run, RunPlace};
pub use self::suppressions::Suppression;
pub use self::targets::{Hold, Standing, Target};
use super::{Error, Store};
use crate::core::lifecycle::message;
use crate::core::lifecycle::run::Phase;

/// The filter of a query; `None` does not restrict. Each noun uses the fields that apply to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    pub campaign: Option<String>,
    /// The account's external id.
    pub account: Option<String>,
    /// The referral's external id.
    pub referral: Option<String>,
    pub phase: Option<Phase>,
    pub standing: Option<Standing>,
    pub message: Option<message::State>,
    pub day: Option<i16>,
    pub limit: Option<i64>,
}

/// The returned rows, with their number before the limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub total: i64,
}

impl<T> Page<T> {
    /// Creates a page of all rows, or of those within a limit together with the total `count`.
    fn new(rows: Vec<T>, count: Option<i64>) -> Self {
        let total = count.unwrap_or_else(|| i64::try_from(rows.len()).unwrap_or(i64::MAX));
        Self { rows, total }
    }

    /// Returns true if the limit may have cut rows off, so that counting them is worth a query.
    fn is_full(rows: &[T], limit: Option<i64>) -> bool {
        limit.is_some_and(|limit| i64::try_from(rows.len()).is_ok_and(|rows| rows >= limit))
    }
}

/// The number of rows that a cursor returns at a time.
const PAGE: &str = "fetch 1000 from page";

impl Store {
    /// Begins a read-only transaction in which all statements see one snapshot.
    pub(super) async fn looking(&self) -> Result<Transaction<'static, Postgres>, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::during("begin a check of runs"))?;
        // The idle timeout is off: the transaction blocks no other, and a caller may work for long between two
        // statements.
        sqlx::raw_sql(
            "set transaction isolation level repeatable read, read only;
             set local idle_in_transaction_session_timeout = 0",
        )
        .execute(&mut *tx)
        .await
        .map_err(Error::during("begin a check of runs"))?;
        Ok(tx)
    }
}
