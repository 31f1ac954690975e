//! What stands in tables, for what no verb of the store says.

use sqlx::{AssertSqlSafe, Decode, PgPool, Postgres, Type};

pub(crate) async fn execute(pool: &PgPool, statement: &str) {
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(pool).await.unwrap();
}

/// The first column of the only row.
pub(crate) async fn one<T>(pool: &PgPool, query: &str) -> T
where
    T: Send + Unpin,
    for<'r> T: Decode<'r, Postgres> + Type<Postgres>,
{
    sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(pool).await.unwrap()
}

/// The first column of every row.
pub(crate) async fn column<T>(pool: &PgPool, query: &str) -> Vec<T>
where
    T: Send + Unpin,
    for<'r> T: Decode<'r, Postgres> + Type<Postgres>,
{
    sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_all(pool).await.unwrap()
}

/// How many rows of a table there are: `revision`, `message where state = 'sent'`.
pub(crate) async fn count(pool: &PgPool, rows: &str) -> i64 {
    one(pool, &format!("select count(*) from {rows}")).await
}

/// How many transactions wait for a lock.
pub(crate) async fn waiting_for_locks(pool: &PgPool) -> i64 {
    count(pool, "pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'").await
}

/// How many counters of accounts and runs differ from the messages that they count.
pub(crate) async fn wrong_counters(pool: &PgPool) -> i64 {
    one(
        pool,
        "select (select count(*) from lane l where taken <> (
                   select count(*) from message m where m.account_id = l.account_id and quota_date = l.taken_on))
              + (select count(*) from run r where taken <> (
                   select count(*) from message m where (m.account_id, m.campaign_id) = (r.account_id, r.campaign_id)
                                                    and quota_date = r.taken_on))",
    )
    .await
}
