// The table that every peer keeps beside its queue: one row per person and day, inserted before the call and completed
// after it.
import pg from "pg";

export const messages = Number(process.argv[2]);
export const url = process.env.DATABASE_URL;

export async function prepare(connections) {
  const pool = new pg.Pool({ connectionString: url, max: connections });
  const fail = (error) => {
    throw error;
  };
  pool.on("error", fail).on("connect", (client) => client.on("error", fail));
  await pool.query(`
    drop table if exists attempt;
    create table attempt (target bigint, day smallint, state text not null, queued_at timestamptz not null,
      sent_at timestamptz, provider_id text, primary key (target, day)) with (fillfactor = 80)`);
  return pool;
}

export function* chunks(size) {
  for (let first = 0; first < messages; first += size) {
    const targets = Array.from({ length: Math.min(size, messages - first) }, (_, n) => first + n);
    yield targets.map((target) => ({ target, day: 1 }));
  }
}

// Counts messages whose outcome is durable; `all` is kept when there are no more.
export function counter() {
  let sent = 0;
  let done;
  const all = new Promise((resolve) => (done = resolve));
  const add = (n) => {
    sent += n;
    if (sent >= messages) done();
  };
  return { add, all };
}

// Measures from `start` until all messages are sent, checks the result and prints messages per second.
export async function measure(pool, start, all, enqueued) {
  await pool.query("vacuum analyze");
  const begun = performance.now();
  const stop = await start();
  await all;
  const seconds = (performance.now() - begun) / 1000;
  await stop();
  const sent = await pool.query("select count(*)::int as n from attempt where state = 'sent'");
  const next = await pool.query(enqueued);
  if (sent.rows[0].n !== messages || next.rows[0].n !== messages) {
    throw new Error(`${sent.rows[0].n} sent and ${next.rows[0].n} to be sent the next day, of ${messages}`);
  }
  console.log((messages / seconds).toFixed(0));
  await pool.end();
}
