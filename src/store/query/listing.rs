//! Targets and messages by key, a page at a time: the cost of a page does not grow with the table.

use serde::{Deserialize, Serialize};

use super::messages::{message_columns, wanted_messages};
use super::questions::questions;
use super::targets::{TargetRow, hold, wanted_targets};
use super::{Error, Message, Standing, Store, Target, Wanted};
use crate::core::dispatch::program::Program;
use crate::core::domain::{TargetKey, Timestamp};
use crate::core::lifecycle::message::State;
use crate::store::rows::decode;

/// The place of a target in the order of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetPlace {
    account: i32,
    campaign: i32,
    referral: i64,
}

impl From<TargetKey> for TargetPlace {
    fn from(key: TargetKey) -> Self {
        Self { account: key.account.0, campaign: key.campaign.0, referral: key.referral.0 }
    }
}

/// The place of a message in the order of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct MessagePlace {
    account_id: i32,
    referral_id: i64,
    campaign_id: i32,
    number: i16,
}

#[derive(sqlx::FromRow)]
struct MessageRow {
    #[sqlx(flatten)]
    place: MessagePlace,
    #[sqlx(flatten)]
    message: Message,
}

impl Store {
    /// Returns targets of `wanted` (campaign, account, referral, standing, limit) after `place`, by key.
    pub async fn targets_after(
        &self,
        program: &Program,
        wanted: &Wanted,
        place: Option<TargetPlace>,
        now: Timestamp,
    ) -> Result<Vec<(TargetPlace, Target)>, Error> {
        let mut tx = self.looking().await?;
        let rows: Vec<TargetRow> = sqlx::query_as(concat!(
            "with these as (
               select t.*",
            wanted_targets!(),
            " and ($5::int is null or (t.account_id, t.campaign_id, t.referral_id) > ($5, $6::int, $7::bigint))
               order by t.account_id, t.campaign_id, t.referral_id limit $8)
             select t.account_id, t.campaign_id, t.referral_id, c.name as campaign, a.external_id as account,
                    r.external_id as referral, r.name, r.phone, t.day, t.state, t.exit_reason, t.due_at,
                    r.consent is null or exists (select from person_hold h
                        where h.account_id in (t.account_id, 0) and h.phone = r.phone) as may_be_held
             from these t join campaign c on c.id = t.campaign_id join account a on a.id = t.account_id
             join referral r on r.account_id = t.account_id and r.id = t.referral_id
             order by t.account_id, t.campaign_id, t.referral_id"
        ))
        .bind(&wanted.campaign)
        .bind(&wanted.account)
        .bind(&wanted.referral)
        .bind(wanted.standing.map(Standing::as_str))
        .bind(place.map(|place| place.account))
        .bind(place.map(|place| place.campaign))
        .bind(place.map(|place| place.referral))
        .bind(wanted.limit)
        .persistent(false)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during("read a page of targets"))?;
        let asked = rows.iter().filter(|row| row.is_asked(now)).map(TargetRow::key).collect();
        let questions = questions(&mut tx, program, asked, now).await?;
        let target = |row: TargetRow| {
            let key = row.key();
            let hold = hold(questions.get(&key).map(|asked| &asked.now), row.is_due(now));
            Ok((key.into(), row.target(hold)?))
        };
        rows.into_iter().map(target).collect::<Result<_, sqlx::Error>>().map_err(decode("read a page of targets"))
    }

    /// Returns messages of `wanted` (campaign, account, referral, message, day, limit) after `place`, by key.
    pub async fn messages_after(
        &self,
        wanted: &Wanted,
        place: Option<MessagePlace>,
    ) -> Result<Vec<(MessagePlace, Message)>, Error> {
        let rows: Vec<MessageRow> = sqlx::query_as(concat!(
            "with these as (
               select m.*",
            wanted_messages!(),
            " and ($6::int is null or (m.account_id, m.referral_id, m.campaign_id, m.day)
                                      > ($6, $7::bigint, $8::int, $9::smallint))
               order by m.account_id, m.referral_id, m.campaign_id, m.day limit $10)
             select m.account_id, m.referral_id, m.campaign_id, m.day as number, ",
            message_columns!(),
            " from these m join campaign c on c.id = m.campaign_id join account a on a.id = m.account_id
             join referral r on r.account_id = m.account_id and r.id = m.referral_id
             order by m.account_id, m.referral_id, m.campaign_id, m.day"
        ))
        .bind(&wanted.campaign)
        .bind(&wanted.account)
        .bind(&wanted.referral)
        .bind(wanted.message.map(State::as_str))
        .bind(wanted.day)
        .bind(place.map(|place| place.account_id))
        .bind(place.map(|place| place.referral_id))
        .bind(place.map(|place| place.campaign_id))
        .bind(place.map(|place| place.number))
        .bind(wanted.limit)
        .persistent(false)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("read a page of messages"))?;
        Ok(rows.into_iter().map(|row| (row.place, row.message)).collect())
    }
}
