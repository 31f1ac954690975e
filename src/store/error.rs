//! Failures of the store, a variant for each decision that a caller makes.

use std::error::Error as StdError;

use sqlx::migrate::MigrateError;
use thiserror::Error;

/// A failed verb. The operation says what was being done; the source says why it failed.
#[derive(Debug, Error)]
pub enum Error {
    /// Postgres cannot be reached, or starts or stops. The same call succeeds once it is back.
    #[error("cannot {operation}")]
    Unavailable { operation: &'static str, source: sqlx::Error },
    /// Another transaction wrote the same row first. A caller that reads again sees it.
    #[error("cannot {operation}")]
    Conflict { operation: &'static str, source: sqlx::Error },
    /// Postgres undid this transaction so that another one can go on. The same call succeeds at once.
    #[error("cannot {operation}")]
    Serialization { operation: &'static str, source: sqlx::Error },
    /// A statement, or its wait for a lock, took too long. A smaller call may succeed, or the same one later.
    #[error("cannot {operation}")]
    StatementTimeout { operation: &'static str, source: sqlx::Error },
    /// Another version of the program made the schema. Only that version can use the database.
    #[error("cannot {operation}")]
    Schema { operation: &'static str, source: sqlx::Error },
    /// The URL or the server behind it cannot serve; the sentence says why, and the way out.
    #[error("cannot use the database: {0}")]
    Server(String),
    /// The program or the data is wrong. The same call fails again.
    #[error("cannot {operation}")]
    Invariant { operation: &'static str, source: sqlx::Error },
}

impl Error {
    pub(super) fn new(operation: &'static str, source: sqlx::Error) -> Self {
        match cause(&source) {
            Cause::Unavailable => Self::Unavailable { operation, source },
            Cause::Conflict => Self::Conflict { operation, source },
            Cause::Serialization => Self::Serialization { operation, source },
            Cause::StatementTimeout => Self::StatementTimeout { operation, source },
            Cause::Schema => Self::Schema { operation, source },
            Cause::Invariant => Self::Invariant { operation, source },
        }
    }

    /// For `map_err`: every failure names the operation it interrupted.
    pub(super) fn during(operation: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::new(operation, source)
    }

    /// Returns the first store error among `error` and its causes.
    pub fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }

    /// Returns true if the same call may succeed when it is repeated.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. }
            | Self::Conflict { .. }
            | Self::Serialization { .. }
            | Self::StatementTimeout { .. } => true,
            Self::Schema { .. } | Self::Server(_) | Self::Invariant { .. } => false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Unavailable,
    Conflict,
    Serialization,
    StatementTimeout,
    Schema,
    Invariant,
}

fn cause(error: &sqlx::Error) -> Cause {
    match error {
        sqlx::Error::Database(error) => error.code().map_or(Cause::Invariant, |code| cause_of(&code)),
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            Cause::Unavailable
        }
        sqlx::Error::Migrate(error) => match &**error {
            MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) => Cause::Schema,
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => cause(error),
            _ => Cause::Invariant,
        },
        _ => Cause::Invariant,
    }
}

/// The cause that an SQLSTATE stands for.
fn cause_of(sqlstate: &str) -> Cause {
    match sqlstate {
        // Serialization failures and deadlocks.
        "40001" | "40P01" => Cause::Serialization,
        // Unique and exclusion constraints.
        "23505" | "23P01" => Cause::Conflict,
        // Cancelled statements, lock timeouts, and transactions that were idle or open for too long.
        "57014" | "55P03" | "25P03" | "25P04" => Cause::StatementTimeout,
        // The server stops or starts, the session was idle for too long, or the server is a replica until a failover
        // ends.
        "57P01" | "57P02" | "57P03" | "57P05" | "25006" => Cause::Unavailable,
        // Lost connections; no room on the disk, in memory or for connections.
        code if code.starts_with("08") || code.starts_with("53") => Cause::Unavailable,
        _ => Cause::Invariant,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{Cause, Error, cause, cause_of};

    #[test]
    fn an_sqlstate_has_one_cause() {
        for (cause, sqlstates) in [
            (Cause::Serialization, &["40001", "40P01"][..]),
            (Cause::Conflict, &["23505", "23P01"]),
            (Cause::StatementTimeout, &["57014", "55P03", "25P03", "25P04"]),
            (
                Cause::Unavailable,
                &["08000", "08001", "08006", "53100", "53200", "53300", "57P01", "57P02", "57P03", "57P05", "25006"],
            ),
            (
                Cause::Invariant,
                &[
                    "22001", "23502", "23503", "23514", "25P02", "28P01", "3D000", "42601", "42P01", "P0001", "XX000",
                    "",
                ],
            ),
        ] {
            for sqlstate in sqlstates {
                assert_eq!(cause_of(sqlstate), cause, "{sqlstate}");
            }
        }
    }

    #[test]
    fn connection_errors_are_unavailable_and_decode_errors_are_invariants() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        for error in [sqlx::Error::Io(refused), sqlx::Error::PoolTimedOut, sqlx::Error::PoolClosed] {
            assert_eq!(cause(&error), Cause::Unavailable, "{error}");
        }
        for error in [sqlx::Error::RowNotFound, sqlx::Error::Decode("`x` is not a phase".into())] {
            assert_eq!(cause(&error), Cause::Invariant, "{error}");
        }
    }

    #[test]
    fn a_store_error_is_found_in_an_error_chain() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot load")]
        struct Loading(#[source] Error);

        let loading = Loading(Error::new("read", sqlx::Error::PoolTimedOut));
        assert!(matches!(Error::find(&loading), Some(Error::Unavailable { operation: "read", .. })));
        assert!(Error::find(&io::Error::other("else")).is_none());
    }
}
