//! All SQL. One verb is one transaction; a file per noun.
//!
//! Queries are static text. Every verb has a test on a real Postgres instead of macros with offline data, which one
//! added space in a query would invalidate. `now` is always an argument. Only [`Store::now`] reads the time, so all
//! processes on one database share one clock; leader election alone uses real time.
//!
//! Rows reach a statement as one array per column. The module `columns` binds them by name, and compares the names with
//! the statement while the program compiles.
//!
//! The module `lock` defines the order in which transactions take their locks.

mod access;
mod address;
mod clock;
mod columns;
mod control;
mod conversation;
mod error;
mod event;
mod facts;
pub mod forecast;
mod generation;
mod inbound;
mod keys;
mod lock;
pub mod query;
mod rows;
mod runs;
mod schedule;
mod schema;
mod send;
mod server;
pub mod snapshot;
mod stored_objects;

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgPoolOptions;

pub(crate) use self::access::Answering;
pub use self::access::{Bearer, Begun, Effect, KeyedRequest, NewToken, Render, Revoked, TokenRow};
pub use self::clock::Speed;
pub use self::control::apply::{Applied, Origin};
pub use self::control::approval::{Approved, Waiting};
pub use self::control::demo::Contents;
pub use self::control::desired::InForce;
pub use self::control::erasure::Erased;
pub use self::control::frozen::Standstill;
pub use self::control::leader_election::{Holder, Token};
pub use self::control::order_effect::OrderEffect;
pub use self::control::overrides::{Concerned, Group, Ordered, Outcome};
pub use self::control::reopen::{Opened, Reopened};
pub use self::control::resume_channel::Resumed;
pub use self::error::Error;
pub use self::facts::event::FactEvent;
pub use self::facts::import::merge::Merged;
pub use self::facts::import::{Age, Closed, Ending, Stage};
pub use self::forecast::Tree;
pub use self::forecast::sample::Match;
pub use self::forecast::why_not::WhyNot;
pub use self::inbound::message::InboundResult;
pub use self::inbound::message::incoming::{InboundMessage, Via};
pub use self::inbound::provider_notice::ProviderNotice;
pub use self::inbound::provider_receipt::{Receipt, ReceiptStatus};
pub use self::inbound::renamed::Renamed;
pub use self::inbound::reply::{Inbound, ReplyEffects};
pub use self::inbound::suppression::{Listed, Suppressed};
pub use self::inbound::webhook::{Processed, Webhook};
pub use self::runs::enroll::Enrolled;
pub use self::runs::matcher::Seeker;
pub use self::runs::restriction::SenderName;
pub use self::runs::senders::Senders;
pub use self::runs::stopped::RestrictedRun;
pub use self::schedule::next_due::NextDue;
pub use self::schema::{Schema, UNRELEASED};
pub use self::send::claim::Claim;
pub use self::send::resolution::{Chosen, Resolved};
pub use self::send::terms::{Batch, Span, Terms};
pub use self::snapshot::{Arriving, Leaving};

/// The schema, step by step. The baseline documents every table.
pub static MIGRATOR: Migrator = sqlx::migrate!("src/store/migrations");

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// Ends transactions whose process is suspended for over five seconds: other processes wait for their locks.
const PAUSED: &str = "set idle_in_transaction_session_timeout = '5s'";

/// A relance database.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
    /// The fencing token of writes; see [`Store::fenced`].
    fence: Option<Token>,
    /// The actor of writes; see [`Store::acting`].
    actor: Option<Arc<str>>,
    /// The request that writes answer; see [`Store::answering`].
    answering: Option<Arc<Answering>>,
}

impl Store {
    /// Connects and brings the schema up to date.
    ///
    /// # Errors
    /// When the server cannot be reached, or its schema is newer than this program or older than the first release.
    pub async fn open(url: &str, connections: u32) -> Result<Self, Error> {
        let store = Self::connect(url, connections).await?;
        // A reader may lack the right to migrate, and a current schema needs nothing.
        if store.schema().await? != Schema::Present {
            store.migrate().await?;
        }
        store.adopt_log().await?;
        Ok(store)
    }

    /// Connects without changing the schema, whatever the database contains.
    async fn connect(url: &str, connections: u32) -> Result<Self, Error> {
        const OPERATION: &str = "connect to the database";
        // A pool would retry until its timeout, and then report only the timeout.
        server::refuse_unusable(url).await?;
        let options = PgPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT);
        let options = options.after_connect(|connection, _| {
            Box::pin(async move { sqlx::query(PAUSED).execute(connection).await.map(|_| ()) })
        });
        options.connect_lazy(url).map(Self::of).map_err(Error::during(OPERATION))
    }

    /// Wraps a pool whose schema is up to date.
    pub fn of(pool: PgPool) -> Self {
        Self { pool, fence: None, actor: None, answering: None }
    }

    /// Returns this database with `actor` as the author of its writes: the log names who applied a revision or imported
    /// a file.
    #[must_use]
    pub fn acting(&self, actor: Option<&str>) -> Self {
        Self { actor: actor.map(Arc::from), ..self.clone() }
    }

    fn actor(&self) -> Option<&str> {
        self.actor.as_deref()
    }

    /// Refreshes the planner's statistics of growing tables, for databases without autovacuum.
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
