//! Single targets, with everything that the answer to "why not now" depends on.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::PgConnection;

use super::people::{Person, person_columns};
use super::questions::Asked;
use super::targets::{TargetRow, targets_asked};
use super::{Error, Store, Target, Wanted};
use crate::core::dispatch::program::Program;
use crate::core::domain::{CampaignId, TargetKey, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::run::Phase;

/// A target with all its details.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    pub target: Target,
    pub circumstances: Circumstances,
    /// `None` if the target waits for no message, or if its campaign is not in force.
    pub asked: Option<Asked>,
}

/// The person of a target and the state of its run: the facts behind the gate's questions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Circumstances {
    #[serde(flatten)]
    #[sqlx(flatten)]
    pub person: Person,
    pub enrolled_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    #[sqlx(try_from = "String")]
    pub run_phase: Phase,
    pub run_reason: String,
    #[serde(rename = "run_message", serialize_with = "Detail::as_sentence")]
    #[sqlx(json)]
    pub run_detail: Detail,
}

#[derive(sqlx::FromRow)]
struct Row {
    campaign_id: i32,
    #[sqlx(flatten)]
    circumstances: Circumstances,
}

impl Store {
    /// Returns the targets of a referral, by external id, as of `now`.
    ///
    /// They are those of the named campaign, or of all campaigns by name. Among campaigns of one name the latest comes
    /// first.
    pub async fn cases(
        &self,
        program: &Program,
        referral: &str,
        campaign: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<Case>, Error> {
        let wanted =
            Wanted { campaign: campaign.map(str::to_owned), referral: Some(referral.to_owned()), ..Wanted::default() };
        let mut tx = self.looking().await?;
        let targets = targets_asked(&mut tx, program, &wanted, TargetRow::waits, now).await?;
        let mut circumstances = circumstances(&mut tx, referral).await?;
        let case = |(key, target, asked)| Some(Case { target, circumstances: circumstances.remove(&key)?, asked });
        Ok(targets.into_iter().filter_map(case).collect())
    }
}

async fn circumstances(tx: &mut PgConnection, referral: &str) -> Result<HashMap<TargetKey, Circumstances>, Error> {
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "select t.campaign_id, t.enrolled_at, t.ended_at, o.phase as run_phase, o.reason as run_reason,
                o.detail as run_detail, ",
        person_columns!(),
        " from referral r join account a on a.id = r.account_id left join suppression s on s.phone = r.phone
         join run o on o.account_id = r.account_id
         join target t on (t.account_id, t.campaign_id, t.referral_id) = (r.account_id, o.campaign_id, r.id)
         where r.external_id = $1"
    ))
    .bind(referral)
    .fetch_all(tx)
    .await
    .map_err(Error::during("read the circumstances of targets"))?;
    let keyed = |row: Row| {
        let (account, referral) = row.circumstances.person.keys();
        (TargetKey { account, campaign: CampaignId(row.campaign_id), referral }, row.circumstances)
    };
    Ok(rows.into_iter().map(keyed).collect())
}
