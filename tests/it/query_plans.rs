//! Hot statements find their rows by an index: none of them reads a whole table of people, messages or events.
//!
//! Covers the statements that stand in a file of their own. They are planned for parameters that the planner does not
//! know. The tests of `query_scans` execute the statements that stand in Rust code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};

use crate::support::trees::{ALWAYS, NO_PACE, tree};
use crate::support::world::World;

const MONDAY: &str = "2026-11-30T08:00:00Z";
/// The tables that grow with people, messages and events.
pub(crate) const LARGE: [&str; 8] =
    ["alias", "conversation", "event", "inbound", "message", "provider_message", "referral", "target"];
const ACCOUNTS: i32 = 100;
/// People of each account.
const PEOPLE: i32 = 300;

/// Files that the loops of the daemon and the webhooks execute.
const HOT: [&str; 29] = [
    "control/claim_notifications.sql",
    "control/reopen.sql",
    "inbound/confirmation_claim.sql",
    "inbound/handset_others.sql",
    "inbound/message/unnamed.sql",
    "inbound/moved_find.sql",
    "inbound/provider_message_news.sql",
    "inbound/receipt_save.sql",
    "runs/advance/advance.sql",
    "runs/advance/advance_exit_targets.sql",
    "runs/advance/advance_save.sql",
    "runs/advance/look_due_runs.sql",
    "runs/advance/next_in_queues.sql",
    "runs/restriction_lift.sql",
    "runs/restriction_save.sql",
    "runs/run_ensure.sql",
    "runs/under_way.sql",
    "schedule/wake_look_again.sql",
    "send/attempt_first.sql",
    "send/attempt_further.sql",
    "send/account_health_save_stats.sql",
    "send/account_health_stop.sql",
    "send/claim_write_runs.sql",
    "send/claim_write_update_lanes.sql",
    "send/fault_save.sql",
    "send/lease_move_on.sql",
    "send/message_rows_mixed.sql",
    "send/quota_give_back.sql",
    "send/resolution_by_ids.sql",
];

/// Files that may read whole tables, and why.
const COLD: [(&str, &str); 9] = [
    ("facts/import/account_repeated.sql", "reads a temporary table of the import alone"),
    ("facts/import/referral_inherit.sql", "an import touches everybody"),
    ("facts/import/referral_insert.sql", "an import touches everybody"),
    ("facts/import/referral_update.sql", "an import touches everybody"),
    ("facts/import/signal_concerned.sql", "an import may refuse every row"),
    ("forecast/effect_counts.sql", "counts the accounts and people of a plan, at a person's request"),
    ("query/accounts.sql", "counts the people of all listed accounts, at a person's request"),
    ("query/campaigns_campaign_days.sql", "counts all messages of a campaign, at a person's request"),
    ("query/report/report_overlaps.sql", "counts over the whole time of a report"),
];

/// Hot statements that read a whole table all the same, and why. The list may only shrink.
const KNOWN: &[(&str, &str, &str)] = &[];

/// Parameters whose type Postgres cannot tell from their place: the driver sends it along, as `prepare` does here.
const TYPES: [(&str, usize, &str); 4] = [
    ("runs/run_ensure.sql", 5, "timestamptz"),
    ("runs/run_ensure.sql", 6, "integer"),
    ("send/account_health_stop.sql", 6, "timestamptz"),
    ("send/lease_move_on.sql", 5, "timestamptz"),
];

/// A database in which reading a whole table is visibly the wrong plan, under a single connection.
pub(crate) async fn seeded() -> (World, PgPool) {
    let mut world = World::at(MONDAY).await;
    world
        .sql(&format!(
            "insert into account (external_id, name, language, country, timezone, as_of)
             select 'a' || n, 'Aminata', 'fr', 'CM', 'Africa/Douala', '2026-11-01Z' from generate_series(1, {ACCOUNTS}) n"
        ))
        .await;
    world
        .sql(&format!(
            "insert into referral (account_id, external_id, name, phone, language, country, registered_at, consent,
                                   as_of, is_current)
             select a.id, 'r' || a.id || '-' || n, 'Paul', '+237' || (670000000 + a.id * 1000 + n), 'fr', 'CM',
                    '2026-11-20Z', 'opted_in', '2026-11-01Z', true
             from account a cross join generate_series(1, {PEOPLE}) n"
        ))
        .await;
    world.apply(&tree(2, NO_PACE, &[("c", ALWAYS)])).await;
    // Nearly everybody is done; a few of each account are due today, tomorrow or later.
    world
        .sql(
            "insert into target (account_id, campaign_id, referral_id, state, day, due_at, enrolled_at, revision_id,
                                 ended_at)
             select r.account_id, c.id, r.id, case when r.id % 10 = 0 then 'active' else 'completed' end, 2,
                    case when r.id % 10 = 0 then timestamptz '2026-11-30T07:00:00Z' + (r.id % 7) * interval '1 day' end,
                    '2026-11-20Z', 1, case when r.id % 10 <> 0 then timestamptz '2026-11-25Z' end
             from referral r cross join campaign c",
        )
        .await;
    world
        .sql(
            "insert into message (account_id, referral_id, campaign_id, day, state, attempts, quota_date, phone, language,
                                  text, revision_id, due_at, queued_at, sent_at, provider_id)
             select t.account_id, t.referral_id, t.campaign_id, d, 'sent', 1, date '2026-11-20' + d, r.phone, 'fr', 'Jour',
                    1, timestamptz '2026-11-20Z' + d * interval '1 day', timestamptz '2026-11-20Z' + d * interval '1 day',
                    timestamptz '2026-11-20Z' + d * interval '1 day', 'wamid.' || t.referral_id || '.' || d
             from target t join referral r on (r.account_id, r.id) = (t.account_id, t.referral_id)
             cross join generate_series(1, 2) d where d = 1 or t.state = 'completed'",
        )
        .await;
    world
        .sql(
            "insert into event (account_id, campaign_id, at, kind, before, after, reason, detail, revision_id)
             select r.account_id, 1, '2026-11-20Z', 'run-phase', 'active', 'paused', 'operator', '{}', 1
             from referral r",
        )
        .await;
    world.sql("insert into alias (id, phone) select 'CM.' || id, phone from referral").await;
    world
        .sql(
            "insert into inbound (message_id, phone, at, received_at)
             select 'seed.' || id, phone, '2026-11-20Z', '2026-11-20Z' from referral",
        )
        .await;
    world.sql("insert into conversation select account_id, phone, '2026-11-20Z' from referral").await;
    world
        .sql(
            "insert into provider_message
             select provider_id, account_id, campaign_id, referral_id, day from message",
        )
        .await;
    world.sql("update run set enroll_at = null, check_at = null").await;
    world.sql("vacuum analyze").await;
    // `prepare` and its execution need one connection.
    let pool = PgPoolOptions::new().max_connections(1).connect(&world.url()).await.unwrap();
    (world, pool)
}

/// Every statement that stands in a file, by its path under `src/store`.
fn statements() -> BTreeMap<String, String> {
    fn walk(dir: &Path, root: &Path, all: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("migrations") {
                walk(&path, root, all);
            } else if path.extension().is_some_and(|end| end == "sql") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                all.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut all = BTreeMap::new();
    walk(&root, &root, &mut all);
    all
}

/// The large tables that `plan` reads as a whole.
fn whole(plan: &Value, found: &mut BTreeSet<String>) {
    match plan {
        Value::Array(all) => all.iter().for_each(|part| whole(part, found)),
        Value::Object(node) => {
            let relation = node.get("Relation Name").and_then(Value::as_str);
            let scans = node.get("Node Type").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("Seq Scan"));
            found.extend(relation.filter(|name| scans && LARGE.contains(name)).map(str::to_owned));
            node.values().for_each(|part| whole(part, found));
        }
        _ => {}
    }
}

/// The plan of `statement` for parameters of which nothing is known.
async fn plan(pool: &PgPool, name: &str, statement: &str) -> Value {
    let parameters: usize = (1..=20).take_while(|n| statement.contains(&format!("${n}"))).count();
    let nulls = vec!["null"; parameters].join(", ");
    let known = |n: usize| TYPES.iter().find(|(file, place, _)| (*file, *place) == (name, n)).map(|(.., kind)| *kind);
    let types: Vec<&str> = (1..=parameters).map(|n| known(n).unwrap_or("unknown")).collect();
    let types = types.join(", ");
    let prepare =
        format!("deallocate all; set plan_cache_mode = force_generic_plan; prepare p ({types}) as {statement}");
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(pool).await.unwrap();
    let explain = format!("explain (format json) execute p({nulls})");
    sqlx::query_scalar(AssertSqlSafe(explain)).persistent(false).fetch_one(pool).await.unwrap()
}

fn known() -> BTreeSet<(String, String)> {
    KNOWN.iter().map(|(file, table, _)| ((*file).to_owned(), (*table).to_owned())).collect()
}

#[test]
fn every_sql_file_is_listed_as_hot_or_cold() {
    let cold = COLD.iter().map(|(name, _)| *name);
    let listed: BTreeSet<String> = HOT.into_iter().chain(cold).map(str::to_owned).collect();
    assert_eq!(statements().into_keys().collect::<BTreeSet<_>>(), listed);
}

#[tokio::test]
async fn hot_sql_files_never_scan_a_large_table() {
    let (_world, pool) = seeded().await;
    let mut control = BTreeSet::new();
    whole(&plan(&pool, "control", "select count(*) from message where text = $1").await, &mut control);
    assert_eq!(control, BTreeSet::from(["message".to_owned()]));
    let all = statements();
    let mut found = BTreeSet::new();
    for name in HOT {
        let mut tables = BTreeSet::new();
        whole(&plan(&pool, name, &all[name]).await, &mut tables);
        found.extend(tables.into_iter().map(|table| (name.to_owned(), table)));
    }
    assert_eq!(found, known());
}
