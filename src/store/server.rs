//! The server behind a URL, checked before it is used: no pooler that shares sessions, and enough connections.

use sqlx::{Connection, PgConnection, Row};

use super::{Error, Store, address};

const OPERATION: &str = "connect to the database";

/// Connects, and names what stands in the way.
async fn connect(url: &str) -> Result<PgConnection, Error> {
    PgConnection::connect(url).await.map_err(|error| match &error {
        // Poolers refuse the settings that a client asks for in its first message.
        sqlx::Error::Database(refused) if refused.message().contains("unsupported startup parameter") => {
            let way =
                "have it ignore that one (`ignore_startup_parameters` of PgBouncer), or name the server's own address";
            Error::Server(format!("a pooler refuses the connection: {}: {way}", refused.message()))
        }
        _ => Error::during(OPERATION)(error),
    })
}

/// Connects once, and refuses a URL or a server that cannot work.
pub(super) async fn refuse_unusable(url: &str) -> Result<(), Error> {
    address::check(url).map_err(Error::Server)?;
    let mut first = connect(url).await?;
    // Where there is one connection only, nothing is shared.
    if let Ok(mut second) = connect(url).await {
        let shared = share_a_session(&mut first, &mut second).await.map_err(Error::during(OPERATION))?;
        second.close().await.map_err(Error::during(OPERATION))?;
        if shared {
            let way = "use its session mode, or name the server's own address";
            let pooler = "a pooler in transaction mode, such as PgBouncer, stands before the database";
            return Err(Error::Server(format!("{pooler}, and sessions share their statements and locks: {way}")));
        }
    }
    first.close().await.map_err(Error::during(OPERATION))
}

/// Returns true if the session of a connection changes, or serves both.
///
/// The order makes a session that returns to its pool the next one in turn, for pools that take the last one first and
/// for those that take turns.
async fn share_a_session(first: &mut PgConnection, second: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let (one, two) = (session(first).await?, session(second).await?);
    let again = [session(first).await?, session(first).await?];
    let other = [session(second).await?, session(second).await?];
    Ok(one == two || again != [one; 2] || other != [two; 2])
}

/// Returns the process of the server that answers. The simple protocol leaves no prepared statement behind.
async fn session(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::raw_sql("select pg_backend_pid()").fetch_one(connection).await?.try_get(0)
}

impl Store {
    /// Refuses a server that does not give `needed` connections at a time.
    pub async fn refuse_few_connections(url: &str, needed: u32) -> Result<(), Error> {
        let mut open = Vec::new();
        let mut refused = None;
        for _ in 0..needed {
            match connect(url).await {
                Ok(connection) => open.push(connection),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        let given = open.len();
        for connection in open {
            connection.close().await.map_err(Error::during(OPERATION))?;
        }
        match refused {
            // Insufficient resources: of the role, the database or the server.
            Some(Error::Unavailable { source: sqlx::Error::Database(why), .. })
                if given > 0 || why.code().is_some_and(|code| code.starts_with("53")) =>
            {
                let way =
                    "raise the limit of the role or database (`connection limit`) or of the server (`max_connections`)";
                let what = format!("a daemon needs {needed} connections, and the server gives {given}");
                Err(Error::Server(format!("{what}: {}: {way}", why.message())))
            }
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}
