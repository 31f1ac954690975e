// The drip on graphile-worker. The job of each due person makes the attempt durable, calls no provider, makes the
// outcome durable and enqueues the next day. The last two steps share a statement. Local queue and batched completion
// are on.
// `node graphile-worker.js MESSAGES [CONCURRENCY]`, with DATABASE_URL.
import { makeWorkerUtils, run, Logger } from "graphile-worker";
import { chunks, counter, measure, prepare, url } from "./drip.js";

const CONCURRENCY = Number(process.argv[3] ?? 16);
const TOGETHER = 500;

const pool = await prepare(CONCURRENCY + 4);
const logger = new Logger(() => () => {});
const utils = await makeWorkerUtils({ connectionString: url, logger });
await utils.migrate();
for (const jobs of chunks(5000)) {
  await utils.addJobs(jobs.map((payload) => ({ identifier: "message", payload })));
}
await utils.release();

const { add, all } = counter();
const message = async ({ target, day }) => {
  const attempt = await pool.query({
    name: "attempt",
    text: "insert into attempt values ($1, $2, 'sending', now()) on conflict do nothing",
    values: [target, day],
  });
  if (attempt.rowCount === 0) return; // Begun before: nobody knows whether it left.
  await pool.query({
    name: "outcome",
    text: `with outcome as (
        update attempt set state = 'sent', sent_at = now(), provider_id = 'null' where (target, day) = ($1, $2))
      select id from graphile_worker.add_job('message', json_build_object('target', $1::bigint, 'day', $2::smallint + 1),
                                             run_at => now() + interval '1 day')`,
    values: [target, day],
  });
  add(1);
};
const start = async () => {
  const runner = await run({
    pgPool: pool,
    taskList: { message },
    noHandleSignals: true,
    logger,
    preset: {
      worker: {
        concurrentJobs: CONCURRENCY,
        pollInterval: 100,
        localQueue: { size: TOGETHER },
        completeJobBatchDelay: 5,
      },
    },
  });
  return () => runner.stop();
};
await measure(pool, start, all, "select count(*)::int as n from graphile_worker.jobs where run_at > now()");
