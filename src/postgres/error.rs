//! The failures of a private Postgres; each message says what to do.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::binaries::{MINIMUM, install_command};

/// The reason why there is no private server.
#[derive(Debug, Error)]
pub enum Error {
    #[error(
        "no PostgreSQL server programs of version {minimum} or newer on this machine\n  install them: {install}\n  \
         or name a database: --database-url, DATABASE_URL"
    )]
    NoBinaries { minimum: u32, install: String },
    #[error(
        "no PostgreSQL server programs that fit on this machine, and `--offline` or RELANCE_OFFLINE forbids to fetch \
         them\n  install them: {install}\n  or name the archive: RELANCE_PG_ARCHIVE\n  \
         or name a database: --database-url, DATABASE_URL"
    )]
    Offline { install: String },
    #[error(
        "cannot fetch PostgreSQL: {why}\n  install it: {install}\n  or bring {url} here and name the file: \
         RELANCE_PG_ARCHIVE\n  or name a database: --database-url, DATABASE_URL"
    )]
    NotFetched { url: String, why: String, install: String },
    #[error(
        "{origin} is damaged or is another file: nothing of it is used\n  expected SHA-256: {expected}\n  found SHA-256: {found}"
    )]
    OtherArchive { origin: String, expected: String, found: String },
    #[error("cannot unpack PostgreSQL: {why}")]
    NotUnpacked { why: String },
    #[error("the PostgreSQL that was fetched does not run here: {output}\n  install another one: {install}")]
    DoesNotRun { output: String, install: String },
    #[error("RELANCE_PG_BIN: no working `postgres` and `initdb` of version {minimum} or newer in {}", .dir.display())]
    NotBinaries { dir: PathBuf, minimum: u32 },
    #[error(
        "{} is of PostgreSQL {cluster}, which is not installed here (newest that can be had: {found})\n  \
         install version {cluster}, or move that folder away to begin with an empty database", .data.display()
    )]
    OtherVersion { data: PathBuf, cluster: u32, found: u32 },
    #[error("PostgreSQL refuses to run as root, and this system has neither a user `postgres` nor `nobody` to run it")]
    NoAccount,
    #[error(
        "user {uid} has no entry in the user database, without which PostgreSQL cannot make a cluster\n  \
         add one: echo 'relance:x:{uid}:0::/tmp:/sbin/nologin' >> /etc/passwd\n  \
         or name a database: --database-url, DATABASE_URL"
    )]
    NamelessUser { uid: u32 },
    #[error("{} belongs to user {owner}: run this as that user or as root, or move the folder away", .dir.display())]
    NotOurs { dir: PathBuf, owner: u32 },
    #[error("{} is a link or no plain file, and is not touched: remove it", .path.display())]
    Link { path: PathBuf },
    #[error(
        "the database in {} was made for another folder of this path, which is gone: it may hold real people\n  \
         delete it: relancectl db reset --yes", .dir.display()
    )]
    OtherWorkspace { dir: PathBuf },
    #[error("PostgreSQL could not make a cluster: {output}")]
    Initdb { output: String },
    #[error("PostgreSQL did not start; {} ends with\n  {tail}", .log.display())]
    NotReady { log: PathBuf, tail: String },
    #[error("PostgreSQL in {} does not stop", .dir.display())]
    NotStopped { dir: PathBuf },
    #[error("cannot {operation} {}", .path.display())]
    Io { operation: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot {operation}")]
    Sql { operation: &'static str, source: sqlx::Error },
}

impl Error {
    /// Returns the error for a machine without programs where none can be fetched.
    pub(super) fn no_binaries() -> Self {
        Self::NoBinaries { minimum: MINIMUM, install: install_command() }
    }

    /// Returns a function for `map_err`, so that every failure names the operation and its path.
    pub(super) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { operation, path, source }
    }

    pub(super) fn sql(operation: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Sql { operation, source }
    }
}
