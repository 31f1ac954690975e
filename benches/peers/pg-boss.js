// The drip on pg-boss, whose workers take jobs in batches. Each batch of due people takes one statement for the
// attempts, one for the outcomes, and one insert of the next day's jobs. It calls no provider; pg-boss completes the
// batch.
// `node pg-boss.js MESSAGES`, with DATABASE_URL.
import { PgBoss } from "pg-boss";
import { chunks, counter, measure, prepare, url } from "./drip.js";

const WORKERS = 2;
const TOGETHER = 1000;
const DAY = 24 * 60 * 60;

const pool = await prepare(WORKERS + 2);
const boss = new PgBoss({ connectionString: url, max: 2 * WORKERS + 2 });
await boss.start();
await boss.createQueue("message");
for (const jobs of chunks(5000)) {
  await boss.insert("message", jobs.map((data) => ({ data })));
}

const { add, all } = counter();
const handler = async (jobs) => {
  const days = [jobs.map((job) => job.data.target), jobs.map((job) => job.data.day)];
  const attempts = await pool.query({
    name: "attempts",
    text: `insert into attempt select target, day, 'sending', now() from unnest($1::bigint[], $2::smallint[]) u (target, day)
           on conflict do nothing returning target, day`,
    values: days,
  });
  // Messages with an earlier attempt are skipped, because they may have left.
  const ours = attempts.rows.map(({ target, day }) => ({ target: Number(target), day }));
  await pool.query({
    name: "outcomes",
    text: `update attempt a set state = 'sent', sent_at = now(), provider_id = 'null'
           from unnest($1::bigint[], $2::smallint[]) u (target, day) where (a.target, a.day) = (u.target, u.day)`,
    values: [ours.map(({ target }) => target), ours.map(({ day }) => day)],
  });
  const next = ours.map(({ target, day }) => ({ data: { target, day: day + 1 }, startAfter: DAY }));
  await boss.insert("message", next);
  add(ours.length);
};
const start = async () => {
  const options = {
    batchSize: TOGETHER,
    localConcurrency: WORKERS,
    pollingIntervalSeconds: 0.5,
    burstWhenBatchFull: true,
  };
  await boss.work("message", options, handler);
  return () => boss.stop({ graceful: true });
};
await measure(pool, start, all, "select count(*)::int as n from pgboss.job where name = 'message' and start_after > now()");
