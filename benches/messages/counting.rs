//! Statement counts, where Postgres can count them.

use std::time::Duration;

use relance::postgres::Server;
use sqlx::{Connection, Executor, PgConnection};

use crate::server;

/// Starts the server with statement counting, if it is available; enabling it takes one restart, once. Recreates
/// `database`.
pub(crate) async fn start(database: &str) -> (Server, PgConnection) {
    let mut server = server::start();
    let mut admin = PgConnection::connect(&server.url("postgres")).await.unwrap();
    let (can, does): (bool, bool) = sqlx::query_as(
        "select exists (select from pg_available_extensions where name = 'pg_stat_statements'),
                current_setting('shared_preload_libraries') like '%pg_stat_statements%'",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    if can && !does {
        admin.execute("alter system set shared_preload_libraries = 'pg_stat_statements'").await.unwrap();
    }
    admin.close().await.unwrap();
    if can && !does {
        server.close().unwrap();
        server = server::start();
    }
    server.drop_database(database).await.unwrap();
    server.create_database(database, None).await.unwrap();
    let mut psql = PgConnection::connect(&server.url(database)).await.unwrap();
    if can {
        psql.execute("create extension pg_stat_statements").await.unwrap();
    }
    (server, psql)
}

/// Resets the statement counts.
pub(crate) async fn begin(psql: &mut PgConnection) {
    let forget = "do $$ begin perform pg_stat_statements_reset(); exception when undefined_function then null; end $$";
    psql.execute(forget).await.unwrap();
}

/// Waits until all other sessions have left the database, so that their work is counted.
pub(crate) async fn alone(psql: &mut PgConnection) {
    let others = "select count(*) from pg_stat_activity where backend_type = 'client backend'
                  and datname = current_database() and pid <> pg_backend_pid()";
    while sqlx::query_scalar::<_, i64>(others).fetch_one(&mut *psql).await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Prints the program's statements that used the most execution time.
pub(crate) async fn print_slowest(psql: &mut PgConnection, messages: f64) {
    let slowest: Result<Vec<(f64, f64, String)>, _> = sqlx::query_as(
        r"select total_exec_time * 1e3, calls::float8, left(regexp_replace(query, '\s+', ' ', 'g'), 80)
         from pg_stat_statements where dbid = (select oid from pg_database where datname = current_database())
           and query not like '%bare.%' and query not like '%pg_stat%' and query not similar to '(vacuum|checkpoint)%'
         order by total_exec_time desc limit 8",
    )
    .fetch_all(psql)
    .await;
    // Without statement counts the query fails, and there is nothing to print.
    for (at, (micros, calls, statement)) in slowest.unwrap_or_default().iter().enumerate() {
        if at == 0 {
            println!("\n{:>14} {:>14}   slowest of ours, both ways together", "µs a message", "ms a call");
        }
        println!("{:>14.2} {:>14.2}   {statement}", micros / messages, micros / calls / 1e3);
    }
}
