//! The drip on `graphile_worker`. The job of each due person makes the attempt durable, calls no provider, makes the
//! outcome durable and enqueues the next day. The last two steps share a statement. Local queue and batched completion
//! are on.
//!
//! `graphile_worker MESSAGES [CONCURRENCY]`, with DATABASE_URL.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, RawJobSpec, TaskHandler, WorkerContext, WorkerOptions,
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

/// The number of jobs enqueued or fetched at once.
const TOGETHER: usize = 5_000;

const ATTEMPT: &str = "insert into attempt (target, day, state, queued_at) values ($1, $2, 'sending', now())
    on conflict do nothing";
const OUTCOME: &str = "with outcome as (
      update attempt set state = 'sent', sent_at = now(), provider_id = $3 where (target, day) = ($1, $2))
    select id from graphile_worker.add_job('message', json_build_object('target', $1, 'day', $2 + 1),
                                           run_at => now() + interval '1 day')";

/// The message of one person on one day.
#[derive(Debug, Clone, Deserialize, Serialize)]
struct Message {
    target: i64,
    day: i16,
}

#[derive(Debug, Clone)]
struct Drip {
    pool: PgPool,
    sent: Arc<AtomicU64>,
}

impl TaskHandler for Message {
    const IDENTIFIER: &'static str = "message";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let drip = context.get_ext::<Drip>().expect("it is there from the start");
        let attempt = sqlx::query(ATTEMPT).bind(self.target).bind(self.day).execute(&drip.pool).await;
        if attempt.map_err(|error| error.to_string())?.rows_affected() == 0 {
            return Ok(()); // Begun before: nobody knows whether it left.
        }
        let outcome = sqlx::query(OUTCOME).bind(self.target).bind(self.day).bind("null");
        outcome.execute(&drip.pool).await.map_err(|error| error.to_string())?;
        drip.sent.fetch_add(1, Ordering::Relaxed);
        Ok::<(), String>(())
    }
}

#[expect(clippy::disallowed_methods, reason = "it is told by its environment where the database is")]
#[tokio::main(worker_threads = 2)]
async fn main() {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<u32>().expect("a number"));
    let messages = numbers.next().expect("how many messages");
    let concurrency = numbers.next().unwrap_or(16);
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL");
    let pool = PgPoolOptions::new().max_connections(concurrency + 4).connect(&url).await.unwrap();
    sqlx::raw_sql(
        "drop table if exists attempt; create table attempt (target bigint, day smallint, state text not null,
           queued_at timestamptz not null, sent_at timestamptz, provider_id text, primary key (target, day))
         with (fillfactor = 80)",
    )
    .execute(&pool)
    .await
    .unwrap();
    let drip = Drip { pool: pool.clone(), sent: Arc::default() };
    let worker = WorkerOptions::default()
        .pg_pool(pool.clone())
        .concurrency(concurrency as usize)
        .poll_interval(Duration::from_millis(5))
        .complete_job_batch_delay(Duration::from_millis(5))
        .local_queue(LocalQueueConfig::default().with_size(TOGETHER))
        .add_extension(drip.clone())
        .define_job::<Message>()
        .init()
        .await
        .unwrap();
    let jobs: Vec<RawJobSpec> = (0..messages)
        .map(|target| RawJobSpec {
            identifier: Message::IDENTIFIER.to_owned(),
            payload: serde_json::json!({"target": target, "day": 1}),
            spec: JobSpec::default(),
        })
        .collect();
    for jobs in jobs.chunks(TOGETHER) {
        worker.create_utils().add_raw_jobs(jobs).await.unwrap();
    }
    sqlx::raw_sql("vacuum analyze").execute(&pool).await.unwrap();

    let worker = Arc::new(worker);
    let begun = Instant::now();
    let running = tokio::spawn({
        let worker = Arc::clone(&worker);
        async move { worker.run().await }
    });
    while drip.sent.load(Ordering::Relaxed) < u64::from(messages) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let took = begun.elapsed();
    worker.request_shutdown();
    running.await.unwrap().unwrap();

    let left = "select (select count(*) from attempt where state = 'sent'),
                       (select count(*) from graphile_worker.jobs where run_at > now())";
    let (sent, next): (i64, i64) = sqlx::query_as(left).fetch_one(&pool).await.unwrap();
    assert_eq!((sent, next), (messages.into(), messages.into()), "all sent, all to be sent the next day");
    println!("{:.0}", f64::from(messages) / took.as_secs_f64());
}
