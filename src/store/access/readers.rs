//! The connections of readers: few, read-only, and never those of the dispatcher.

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;

use crate::store::Store;

const CONNECTIONS: u32 = 4;
/// A reader that gets no connection for this long is told to come again.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(1);
/// A read that takes longer is cancelled, so that few slow reads cannot occupy all connections.
const READ_ONLY: &str = "set default_transaction_read_only = on; set statement_timeout = '2s';
                         set idle_in_transaction_session_timeout = '5s'";

impl Store {
    /// Returns this database with connections of its own for readers. They are opened when they are needed. Postgres
    /// refuses every write on them, and cancels a statement after two seconds.
    #[must_use]
    pub fn readers(&self) -> Self {
        let options = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(ACQUIRE_TIMEOUT);
        let options = options.after_connect(|connection, _| {
            Box::pin(async move { sqlx::raw_sql(READ_ONLY).execute(connection).await.map(|_| ()) })
        });
        Self::of(options.connect_lazy_with((*self.pool.connect_options()).clone()))
    }
}
