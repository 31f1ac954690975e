//! All SQL. One verb is one transaction; a file per noun.
//!
//! Queries are static text checked by a test per verb on a real Postgres (not by macros with offline data: one
//! blank in a query would invalidate that). `now` is always an argument; the one place that reads the time is
//! [`Store::now`], so that every process on one database lives by one clock. Only who reconciles is a matter of real
//! time.
//!
//! Who holds a lock and waits for another would wait for ever for somebody who does so the other way round. So everybody
//! takes what they need in one order, and of each kind in the order of the keys, rows that an `update` or a `delete`
//! would take in any order by a `select … order by … for update` before it:
//!
//! 1. the advisory lock of imports, then that of suppressions (`suppression::take_turns`), or that of orders
//!    (`overrides::take_turns`)
//! 2. what was heard (`inbound`), conversations, suppressions, holds, confirmations
//! 3. leases, then lanes by account: the lock of everything that an account has, its runs and its targets
//! 4. messages by their keys; one that waits for another attempt belongs to its lane, and no receipt locks it
//! 5. halted channels
//! 6. what providers call messages and people (`provider_message`, `alias`)
//!
//! Posts (`webhook`) are locked in transactions of their own.

mod advance;
mod affected;
mod apply;
mod approval;
mod attempt;
mod claim;
mod claim_write;
mod clock;
mod confirmation;
mod copy_world;
mod demo;
mod desired;
mod due;
mod effect;
pub mod embedded;
mod enroll;
mod error;
mod event;
mod fact;
mod failed_receipt;
mod fault;
mod forecast;
mod forgotten;
mod frozen;
mod halt;
mod hear;
mod hold;
mod import;
mod installation;
mod lane_health;
mod lane_rows;
pub mod look;
mod look_ahead;
mod matcher;
mod message_rows;
mod notification;
mod opt_out;
mod outcome;
mod overrides;
mod provider_lift;
mod provider_message;
mod provider_notice;
mod provider_stop;
mod receipt;
mod reconciler;
mod reply;
pub mod report;
mod resolution;
mod restored;
mod resume_channel;
mod rows;
mod run;
mod sample;
mod sandbox;
mod schema;
mod senders;
mod spoken;
mod state;
mod stopped;
mod suppression;
mod target_rows;
mod trial;
mod wake;
mod webhook;
mod why_not;

use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection, PgPool};

pub use self::apply::{Applied, Origin};
pub use self::approval::{Approved, Waiting};
pub use self::claim::{Batch, Claim, Claimed, Span, Terms};
pub use self::clock::Speed;
pub use self::demo::Contents;
pub use self::desired::InForce;
pub use self::enroll::Enrolled;
pub use self::error::Error;
pub use self::fact::FactEvent;
pub use self::forecast::Tree;
pub use self::forgotten::Forgotten;
pub use self::frozen::Standstill;
pub use self::hear::{HeardOf, Incoming};
pub use self::import::{Age, Closed, Merged, Stage};
pub use self::matcher::Seeker;
pub use self::notification::{Delivery, Notice};
pub use self::overrides::{Concerned, Group, Ordered, Outcome};
pub use self::provider_notice::ProviderNotice;
pub use self::provider_stop::SenderName;
pub use self::receipt::{Receipt, ReceiptStatus};
pub use self::reconciler::{Holder, Token};
pub use self::reply::{Heard, Inbound};
pub use self::resolution::{Chosen, Resolved};
pub use self::resume_channel::Resumed;
pub use self::sample::Match;
pub use self::schema::{Schema, UNRELEASED};
pub use self::senders::Senders;
pub use self::state::{Arriving, Leaving};
pub use self::stopped::Stopped;
pub use self::suppression::{Listed, Suppressed};
pub use self::wake::NextDue;
pub use self::webhook::{Processed, Webhook};
pub use self::why_not::WhyNot;

/// The schema, step by step. The baseline documents every table.
pub static MIGRATOR: Migrator = sqlx::migrate!("src/store/migrations");

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// A process that is paused in the middle of a transaction is put out of it after five seconds: those who work beside
/// it wait for its locks.
const PAUSED: &str = "set idle_in_transaction_session_timeout = '5s'";

/// A database of relance.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
    /// Under which token it is written; see [`Store::fenced`].
    fence: Option<Token>,
    /// Whose doing it is what is written; see [`Store::acting`].
    actor: Option<Arc<str>>,
}

impl Store {
    /// Connects and brings the schema up to date.
    ///
    /// # Errors
    /// When the server cannot be reached, or its schema is newer than this program or older than the first release.
    pub async fn open(url: &str, connections: u32) -> Result<Self, Error> {
        let store = Self::connect(url, connections).await?;
        store.migrate().await?;
        store.adopt_log().await?;
        Ok(store)
    }

    /// Connects to a database as it is, whatever is in it.
    async fn connect(url: &str, connections: u32) -> Result<Self, Error> {
        const OPERATION: &str = "connect to the database";
        // A pool would try again until its timeout, and then say only that.
        let first = PgConnection::connect(url).await.map_err(Error::during(OPERATION))?;
        first.close().await.map_err(Error::during(OPERATION))?;
        let options = PgPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT);
        let options = options.after_connect(|connection, _| {
            Box::pin(async move { sqlx::query(PAUSED).execute(connection).await.map(|_| ()) })
        });
        options.connect_lazy(url).map(Self::of).map_err(Error::during(OPERATION))
    }

    /// A store on a pool whose schema is up to date.
    pub fn of(pool: PgPool) -> Self {
        Self { pool, fence: None, actor: None }
    }

    /// This database as `actor` writes it, if anybody in particular does: the log says who applied a revision or
    /// imported a file.
    #[must_use]
    pub fn acting(&self, actor: Option<&str>) -> Self {
        Self { actor: actor.map(Arc::from), ..self.clone() }
    }

    fn actor(&self) -> Option<&str> {
        self.actor.as_deref()
    }

    /// Refreshes what Postgres knows of the tables that grow, for databases that nobody vacuums.
    pub async fn analyze(&self) -> Result<(), Error> {
        sqlx::query("analyze account, referral, run, lane, target, message")
            .execute(&self.pool)
            .await
            .map_err(Error::during("analyze the database"))?;
        Ok(())
    }

    /// Closes every connection, waiting for those in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
