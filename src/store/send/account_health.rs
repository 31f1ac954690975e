//! Account health from the send statistics of lanes: warnings, and the stops that follow from failures and opt-outs.
//! The caller holds the locks of the lanes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::core::dispatch::account_health::{Complaint, HealthRestriction, SendStats};
use crate::core::domain::{AccountId, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::event::EventKind;
use crate::core::lifecycle::run::Reason;
use crate::core::manifest::Desired;
use crate::core::manifest::desired::Safety;
use crate::core::manifest::desired::policy::Policies;
use crate::store::Error;
use crate::store::columns::{Batch, columns};
use crate::store::event::{Event, tell};
use crate::store::rows::{count, number};
use crate::store::stored_objects::stored_objects;

/// One lane, before it is saved again.
#[derive(Debug)]
pub(in crate::store) struct Lane {
    pub(in crate::store) send_stats: SendStats,
    pub(super) throttle: Option<HealthRestriction>,
    /// The reason the account stops, if it does.
    pub(super) halt: Option<AccountRestriction>,
    /// The last stop that had an end.
    last: Option<HealthRestriction>,
    safety: Safety,
    /// A warning was already logged.
    warned: bool,
}

/// The reason and the length of an account's stop.
#[derive(Debug)]
pub(super) struct AccountRestriction {
    pub(super) reason: Reason,
    pub(super) detail: Detail,
    /// `None`: until a person lifts it.
    pub(super) stop: Option<HealthRestriction>,
}

pub(super) type Lanes = BTreeMap<AccountId, Lane>;

#[derive(sqlx::FromRow)]
struct Row {
    account_id: i32,
    external_id: String,
    labels: Value,
    tally_since: Option<Timestamp>,
    tally_before_since: Option<Timestamp>,
    handed: i32,
    failed: i32,
    opted_out: i32,
    handed_before: i32,
    failed_before: i32,
    opted_out_before: i32,
    throttled_until: Option<Timestamp>,
    throttles: i32,
    /// Belongs to the last stop that had an end.
    times: Option<i32>,
    until: Option<Timestamp>,
}

impl Row {
    fn lane(&self, policies: &Policies, now: Timestamp) -> Lane {
        let stop = |times: i32, until| HealthRestriction { times: times.unsigned_abs(), until };
        let safety = policies.of(&self.external_id, &self.labels).safety;
        let send_stats = SendStats {
            since: self.tally_since,
            before_since: self.tally_before_since,
            now: count(self.handed, self.failed, self.opted_out),
            before: count(self.handed_before, self.failed_before, self.opted_out_before),
        };
        let send_stats = send_stats.at(now, &safety);
        Lane {
            warned: send_stats.warning(&safety).is_some(),
            send_stats,
            throttle: self.throttled_until.map(|until| stop(self.throttles, until)),
            halt: None,
            last: self.times.zip(self.until).map(|(times, until)| stop(times, until)),
            safety,
        }
    }
}

/// Reads the lanes of `accounts`.
pub(in crate::store) async fn read(
    tx: &mut PgConnection,
    accounts: impl Iterator<Item = AccountId>,
    now: Timestamp,
) -> Result<Lanes, Error> {
    let accounts: BTreeSet<i32> = accounts.map(|account| account.0).collect();
    let policies = policies(tx).await?;
    let rows: Vec<Row> = sqlx::query_as(
        "select l.account_id, a.external_id, a.attributes as labels, l.tally_since, l.tally_before_since, l.handed, l.failed,
                l.opted_out, l.handed_before, l.failed_before, l.opted_out_before, l.throttled_until, l.throttles, h.times,
                h.until
         from lane l join account a on a.id = l.account_id left join account_halt h on h.account_id = l.account_id
         where l.account_id = any($1)",
    )
    .bind(accounts.into_iter().collect::<Vec<_>>())
    .fetch_all(tx)
    .await
    .map_err(Error::during("read the health of lanes"))?;
    Ok(rows.into_iter().map(|row| (AccountId(row.account_id), row.lane(&policies, now))).collect())
}

/// Reads only the safety settings of the manifests in force.
async fn policies(tx: &mut PgConnection) -> Result<Policies, Error> {
    let (stored, _) = stored_objects(
        tx,
        "select kind, name, format, body::text, source from manifest
         where kind = 'Defaults' or (kind = 'Account' and body ? 'safety')",
    )
    .await?;
    Ok(Desired::from_stored(stored).0.policies())
}

/// Applies health rules to accounts that have handed over enough messages for a rate to be meaningful.
pub(super) async fn judge(tx: &mut PgConnection, accounts: Vec<AccountId>, now: Timestamp) -> Result<(), Error> {
    let mut lanes = read(tx, accounts.into_iter(), now).await?;
    for lane in lanes.values_mut() {
        lane.warned = false;
    }
    save(tx, lanes, now).await
}

/// Saves `lanes`. Stops those with too many failures or opt-outs, and warns before that point.
pub(in crate::store) async fn save(tx: &mut PgConnection, mut lanes: Lanes, now: Timestamp) -> Result<(), Error> {
    let mut warnings = Vec::new();
    for (account, lane) in lanes.iter_mut().filter(|(_, lane)| lane.halt.is_none()) {
        if let Some((why, detail)) = lane.send_stats.complaint(&lane.safety) {
            let reason = match why {
                Complaint::Failures => Reason::FailureRate,
                Complaint::OptOuts => Reason::OptOutRate,
            };
            lane.halt = Some(AccountRestriction {
                reason,
                detail,
                stop: Some(HealthRestriction::for_failures(lane.last, now)),
            });
            // The statistics start again: the messages that led to this stop say nothing about later ones.
            lane.send_stats = SendStats::default();
        } else if let Some(warning) = lane.send_stats.warning(&lane.safety).filter(|_| !lane.warned) {
            warnings.push(Event { account: Some(*account), ..Event::new(EventKind::OptOutRate, None, warning) });
        }
    }
    tell(tx, &warnings, now).await?;
    save_stats(tx, &lanes, now).await?;
    stop(tx, &lanes, now).await
}

columns! {
    /// The send statistics of a lane.
    struct StatsRow {
        account_id: AccountId,
        since: Option<Timestamp>,
        handed: i32,
        failed: i32,
        opted_out: i32,
        before_since: Option<Timestamp>,
        handed_before: i32,
        failed_before: i32,
        opted_out_before: i32,
        throttled_until: Option<Timestamp>,
        throttles: i32,
    }
}

const SAVE_STATS: Batch<StatsRow> = Batch::of(include_str!("account_health_save_stats.sql"));

async fn save_stats(tx: &mut PgConnection, lanes: &Lanes, now: Timestamp) -> Result<(), Error> {
    let rows = lanes.iter().map(|(account, Lane { send_stats: stats, throttle, .. })| StatsRow {
        account_id: *account,
        since: stats.since,
        handed: number(stats.now.handed),
        failed: number(stats.now.failed),
        opted_out: number(stats.now.opted_out),
        before_since: stats.before_since,
        handed_before: number(stats.before.handed),
        failed_before: number(stats.before.failed),
        opted_out_before: number(stats.before.opted_out),
        throttled_until: throttle.map(|stop| stop.until),
        throttles: throttle.map_or(0, |stop| number(stop.times)),
    });
    let saved = SAVE_STATS.query(rows).bind(now).execute(tx).await;
    saved.map(drop).map_err(Error::during("save the health of lanes"))
}

columns! {
    /// A restriction of an account.
    struct StopRow<'a> {
        account_id: AccountId,
        reason: &'a str,
        detail: Json<&'a Detail>,
        until: Option<Timestamp>,
        times: i32,
    }
}

const STOP: Batch<StopRow<'_>> = Batch::of(include_str!("account_health_stop.sql"));

/// Restricts accounts. An account that a person must lift stays that way.
async fn stop(tx: &mut PgConnection, lanes: &Lanes, now: Timestamp) -> Result<(), Error> {
    let halts = lanes.iter().filter_map(|(account, lane)| Some((*account, lane.halt.as_ref()?)));
    let rows: Vec<StopRow<'_>> = halts
        .map(|(account_id, halt)| StopRow {
            account_id,
            reason: halt.reason.as_str(),
            detail: Json(&halt.detail),
            until: halt.stop.map(|stop| stop.until),
            times: halt.stop.map_or(1, |stop| number(stop.times)),
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    STOP.query(rows).bind(now).execute(tx).await.map(drop).map_err(Error::during("pause accounts"))
}
