//! The history of runs.

use sqlx::PgConnection;

use crate::core::domain::Timestamp;
use crate::core::lifecycle::detail::Detail;
use crate::store::Error;

/// The columns of [`PhaseRow`] from `event e`, `account a` and `campaign c`.
macro_rules! phase_columns {
    () => {
        "e.id, e.at, a.external_id as account, c.name as campaign, e.before, e.after, e.reason, e.detail"
    };
}
use super::entry::{Entry, EntryKind};
pub(super) use phase_columns;

#[derive(sqlx::FromRow)]
pub(super) struct PhaseRow {
    at: Timestamp,
    account: String,
    campaign: String,
    before: Option<String>,
    after: String,
    reason: String,
    #[sqlx(json)]
    detail: Detail,
}

impl PhaseRow {
    pub(super) fn entry(self) -> Entry {
        let Self { at, account, campaign, before, after, reason, detail } = self;
        let (kind, what) = match before {
            None => (EntryKind::RunCreated, "was made as"),
            Some(before) if before == after => (EntryKind::RunPhase, "stays"),
            Some(_) => (EntryKind::RunPhase, "became"),
        };
        let sentence = format!("the run {what} {after} ({reason}): {detail}");
        Entry { at, kind, account, referral: None, campaign: Some(campaign), day: None, sentence }
    }
}

/// Returns the last events of a campaign's latest run for an account, or of all the account's runs without a campaign.
pub(super) async fn latest(
    tx: &mut PgConnection,
    campaign: Option<&str>,
    account: &str,
    limit: usize,
) -> Result<Vec<Entry>, Error> {
    let rows: Vec<PhaseRow> = sqlx::query_as(concat!(
        "select * from (select ",
        phase_columns!(),
        " from event e join account a on a.id = e.account_id join campaign c on c.id = e.campaign_id
          where a.external_id = $1 and e.kind in ('run-created', 'run-phase')
            and ($2::text is null
                 or c.id = (select max(r.campaign_id) from run r join campaign n on n.id = r.campaign_id
                            where r.account_id = a.id and n.name = $2))
          order by e.id desc limit $3) last order by id"
    ))
    .bind(account)
    .bind(campaign)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(tx)
    .await
    .map_err(Error::during("read the events of runs"))?;
    Ok(rows.into_iter().map(PhaseRow::entry).collect())
}
