//! Leader election among daemons: a lease with a fencing token, in one row.
//!
//! The token grows with every change of leader. A daemon that was suspended for longer than its lease may still hold
//! the old token. [`Store::fenced`] makes each write compare the token with the locked row, in the same transaction. So
//! the token alone prevents two leaders from writing; the lease only says when another daemon may try.
//!
//! The lease ends by the real time of the database server, not by [`Store::now`], whose clock may run a thousand times
//! faster than the daemons that renew.

use std::fmt;
use std::time::Duration;

use sqlx::PgConnection;

use crate::store::{Error, Store};

/// The time without a renewal after which another daemon may take over.
const LEASE: Duration = Duration::from_secs(6);

/// A fencing token: it grows with every change of leader, and only the highest is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(i64);

impl Token {
    pub(super) fn number(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The host and process of a leader or candidate, shown to operators; the token alone identifies the leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub host: String,
    pub pid: i32,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)
    }
}

impl Store {
    /// Returns this database for writes under `token`: plans are applied only while no other daemon has taken over.
    #[must_use]
    pub fn fenced(&self, token: Token) -> Self {
        Self { fence: Some(token), ..self.clone() }
    }

    /// Takes the lease, unless another daemon has it. The daemon that applies a plan keeps it, however long that takes.
    pub async fn take_over(&self, holder: &Holder) -> Result<Option<Token>, Error> {
        let token: Option<i64> = sqlx::query_scalar(
            "update reconciler set token = token + 1, host = $1, pid = $2, until = clock_timestamp() + $3
             where only_row = (select only_row from reconciler where until is null or until < clock_timestamp()
                               for update skip locked)
             returning token",
        )
        .bind(&holder.host)
        .bind(holder.pid)
        .bind(LEASE)
        .fetch_optional(&self.pool)
        .await
        .map_err(Error::during("take over the reconciler's lease"))?;
        Ok(token.map(Token))
    }

    /// Renews the lease; returns `false` when another daemon took it. An expired lease that nobody took continues.
    pub async fn renew(&self, token: Token) -> Result<bool, Error> {
        let renewed =
            sqlx::query("update reconciler set until = clock_timestamp() + $2 where token = $1 and until is not null")
                .bind(token.0)
                .bind(LEASE)
                .execute(&self.pool)
                .await
                .map_err(Error::during("renew the reconciler's lease"))?;
        Ok(renewed.rows_affected() > 0)
    }

    /// Releases the lease if it is still held: another daemon may take it at once.
    pub async fn step_down(&self, token: Token) -> Result<(), Error> {
        sqlx::query("update reconciler set host = null, pid = null, until = null where token = $1")
            .bind(token.0)
            .execute(&self.pool)
            .await
            .map_err(Error::during("release the reconciler's lease"))?;
        Ok(())
    }

    /// Returns the current leader, if any.
    pub async fn reconciler(&self) -> Result<Option<Holder>, Error> {
        let holder: Option<(String, i32)> =
            sqlx::query_as("select host, pid from reconciler where until >= clock_timestamp()")
                .fetch_optional(&self.pool)
                .await
                .map_err(Error::during("read the reconciler's lease"))?;
        Ok(holder.map(|(host, pid)| Holder { host, pid }))
    }

    /// Returns true if this store is [fenced](Store::fenced) and another daemon took over. Otherwise no daemon can take
    /// over before the end of the transaction.
    pub(super) async fn overtaken(&self, tx: &mut PgConnection) -> Result<bool, Error> {
        let Some(token) = self.fence else { return Ok(false) };
        // The lock blocks a takeover, and waits for one in progress.
        let current: Option<i64> =
            sqlx::query_scalar("select token from reconciler where until is not null for update")
                .fetch_optional(tx)
                .await
                .map_err(Error::during("lock the reconciler's lease"))?;
        Ok(current != Some(token.0))
    }
}

/// Renews the lease as the last statement of a long transaction that wrote under it.
pub(super) async fn prolong(tx: &mut PgConnection) -> Result<(), Error> {
    sqlx::query("update reconciler set until = clock_timestamp() + $1")
        .bind(LEASE)
        .execute(tx)
        .await
        .map_err(Error::during("renew the reconciler's lease"))?;
    Ok(())
}
