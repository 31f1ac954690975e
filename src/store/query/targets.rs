//! Targets as users see them, with the reason why no message is sent to them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::questions::{Asked, questions};
use super::{Error, PAGE, Page, Store, Wanted};
use crate::core::dispatch::gate;
use crate::core::dispatch::gate::{Question, Verdict};
use crate::core::dispatch::program::Program;
use crate::core::domain::{AccountId, CampaignId, ReferralId, TargetKey, Timestamp};
use crate::core::lifecycle::target::Exit;
use crate::store::rows::{decode, strange};

/// A target: `get targets -o json`. The person's identity is not part of that contract and appears in tables only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Target {
    /// `campaign/account/referral`.
    pub id: String,
    pub campaign: String,
    pub account: String,
    pub referral: String,
    /// The day of the next message, or of the last one that left.
    pub day: i16,
    pub state: Standing,
    pub exit_reason: Option<Exit>,
    /// Null if the target ended, or if its last message waits for its outcome.
    pub next_due_at: Option<Timestamp>,
    /// The gate's reason for holding a due target back, or for holding its person whenever it will be due. Null also for
    /// a target about to receive a message or to exit.
    pub hold: Option<Hold>,
    #[serde(skip)]
    pub name: String,
    #[serde(skip)]
    pub phone: String,
}

/// The reason why no message is sent, and the instant to ask again; null if only an event can change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Hold {
    pub reason: gate::Hold,
    pub until: Option<Timestamp>,
}

/// The state of a target: active or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "TargetState")]
pub enum Standing {
    Active,
    Completed,
    Exited,
}

impl Standing {
    pub const ALL: [Self; 3] = [Self::Active, Self::Completed, Self::Exited];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Completed => "completed",
            Self::Exited => "exited",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|standing| standing.as_str() == text)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct TargetRow {
    account_id: i32,
    campaign_id: i32,
    referral_id: i64,
    campaign: String,
    account: String,
    referral: String,
    name: String,
    phone: String,
    day: i16,
    state: String,
    exit_reason: Option<String>,
    due_at: Option<Timestamp>,
    /// The person has an unread reply, or no consent. The gate then puts their targets off from day to day, so they are
    /// rarely due.
    may_be_held: bool,
}

impl TargetRow {
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.due_at.is_some_and(|due| due <= now)
    }

    /// Returns true if the gate may hold the target back now.
    pub(super) fn is_asked(&self, now: Timestamp) -> bool {
        self.is_due(now) || (self.waits() && self.may_be_held)
    }

    pub(super) fn waits(&self) -> bool {
        self.due_at.is_some()
    }

    pub(super) fn key(&self) -> TargetKey {
        TargetKey {
            account: AccountId(self.account_id),
            campaign: CampaignId(self.campaign_id),
            referral: ReferralId(self.referral_id),
        }
    }

    pub(super) fn target(self, hold: Option<Hold>) -> Result<Target, sqlx::Error> {
        let exit = |text: String| Exit::parse(&text).ok_or_else(|| strange("an exit reason", &text));
        Ok(Target {
            id: format!("{}/{}/{}", self.campaign, self.account, self.referral),
            campaign: self.campaign,
            account: self.account,
            referral: self.referral,
            day: self.day,
            state: Standing::parse(&self.state).ok_or_else(|| strange("the state of a target", &self.state))?,
            exit_reason: self.exit_reason.map(exit).transpose()?,
            next_due_at: self.due_at,
            hold,
            name: self.name,
            phone: self.phone,
        })
    }
}

/// `from target t` with the conditions of [`Wanted`] as `$1` to `$4`.
macro_rules! wanted_targets {
    () => {
        " from target t
          where ($1::text is null or t.campaign_id = any(array(select id from campaign where name = $1)))
            and ($2::text is null or t.account_id = (select id from account where external_id = $2))
            and ($3::text is null or (t.account_id = (select account_id from referral where external_id = $3)
                                      and t.referral_id = (select id from referral where external_id = $3)))
            and ($4::text is null or t.state = $4)"
    };
}
pub(super) use wanted_targets;

/// The query for targets in order; `$5` is the limit.
macro_rules! targets_in_order {
    () => {
        concat!(
            "with these as (select t.*",
            wanted_targets!(),
            ")
             select t.account_id, t.campaign_id, t.referral_id, c.name as campaign, a.external_id as account,
                    r.external_id as referral, r.name, r.phone, t.day, t.state, t.exit_reason, t.due_at,
                    r.consent is null or exists (select from person_hold h
                        where h.account_id in (t.account_id, 0) and h.phone = r.phone) as may_be_held
             from these t join campaign c on c.id = t.campaign_id join account a on a.id = t.account_id
             join referral r on r.account_id = t.account_id and r.id = t.referral_id
             order by c.name, a.external_id, c.id desc, t.due_at nulls last, r.external_id limit $5"
        )
    };
}

const OPERATION: &str = "read the targets";

impl Store {
    /// Passes all targets of `wanted` to `take`, a thousand at a time, in the order of [`Store::targets`], as of one
    /// snapshot. Ends early when `take` returns false.
    pub async fn pages_of_targets(
        &self,
        program: &Program,
        wanted: &Wanted,
        now: Timestamp,
        mut take: impl FnMut(Vec<Target>) -> bool,
    ) -> Result<(), Error> {
        let mut tx = self.looking().await?;
        sqlx::query(concat!("declare page no scroll cursor for ", targets_in_order!()))
            .bind(&wanted.campaign)
            .bind(&wanted.account)
            .bind(&wanted.referral)
            .bind(wanted.standing.map(Standing::as_str))
            .bind(wanted.limit)
            .persistent(false)
            .execute(&mut *tx)
            .await
            .map_err(Error::during(OPERATION))?;
        loop {
            let rows: Vec<TargetRow> =
                sqlx::query_as(PAGE).persistent(false).fetch_all(&mut *tx).await.map_err(Error::during(OPERATION))?;
            if rows.is_empty() {
                return Ok(());
            }
            let targets = with_questions(&mut tx, program, rows, |row| row.is_asked(now), now).await?;
            if !take(targets.into_iter().map(|(_, target, _)| target).collect()) {
                return Ok(());
            }
        }
    }

    /// Returns targets of `wanted` (campaign, account, referral, standing) by campaign and account, earliest due first.
    pub async fn targets(&self, program: &Program, wanted: &Wanted, now: Timestamp) -> Result<Page<Target>, Error> {
        let mut tx = self.looking().await?;
        let is_asked = |row: &TargetRow| row.is_asked(now);
        let rows: Vec<Target> = targets_asked(&mut tx, program, wanted, is_asked, now)
            .await?
            .into_iter()
            .map(|(_, target, _)| target)
            .collect();
        let total = if Page::is_full(&rows, wanted.limit) { Some(count(&mut tx, wanted).await?) } else { None };
        Ok(Page::new(rows, total))
    }
}

/// Returns the targets of `wanted` with their keys. Targets that wait for a message and satisfy `asked` also get the
/// gate's questions about them.
pub(super) async fn targets_asked(
    tx: &mut PgConnection,
    program: &Program,
    wanted: &Wanted,
    asked: impl Fn(&TargetRow) -> bool,
    now: Timestamp,
) -> Result<Vec<(TargetKey, Target, Option<Asked>)>, Error> {
    let rows: Vec<TargetRow> = sqlx::query_as(targets_in_order!())
        .bind(&wanted.campaign)
        .bind(&wanted.account)
        .bind(&wanted.referral)
        .bind(wanted.standing.map(Standing::as_str))
        .bind(wanted.limit)
        .persistent(false)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during(OPERATION))?;
    with_questions(tx, program, rows, asked, now).await
}

/// Adds the gate's questions to `rows`, as [`targets_asked`].
async fn with_questions(
    tx: &mut PgConnection,
    program: &Program,
    rows: Vec<TargetRow>,
    asked: impl Fn(&TargetRow) -> bool,
    now: Timestamp,
) -> Result<Vec<(TargetKey, Target, Option<Asked>)>, Error> {
    let keys = rows.iter().filter(|row| asked(row)).map(TargetRow::key).collect();
    let mut questions = questions(tx, program, keys, now).await?;
    let target = |row: TargetRow| {
        let (key, is_due) = (row.key(), row.is_due(now));
        let asked = questions.remove(&key);
        let hold = hold(asked.as_ref().map(|asked| &asked.now), is_due);
        Ok((key, row.target(hold)?, asked))
    };
    rows.into_iter().map(target).collect::<Result<_, sqlx::Error>>().map_err(decode(OPERATION))
}

async fn count(tx: &mut PgConnection, wanted: &Wanted) -> Result<i64, Error> {
    sqlx::query_scalar(concat!("select count(*)", wanted_targets!()))
        .bind(&wanted.campaign)
        .bind(&wanted.account)
        .bind(&wanted.referral)
        .bind(wanted.standing.map(Standing::as_str))
        .persistent(false)
        .fetch_one(tx)
        .await
        .map_err(Error::during("count the targets"))
}

/// Returns why a target is held back. There is no question about a due target if the campaign is no longer in force.
/// Before a target is due only a hold counts that no passing of time ends.
pub(super) fn hold(question: Option<&Question>, is_due: bool) -> Option<Hold> {
    match question.map(|question| (question, gate::decide(question))) {
        Some((question, Verdict::Hold { reason, until })) => {
            let lasts = question.scope(reason) == gate::Scope::Person && until.is_none();
            (is_due || lasts).then_some(Hold { reason, until })
        }
        Some((_, Verdict::Send | Verdict::Exit(_))) => None,
        None => is_due.then_some(Hold { reason: gate::Hold::RunNotActive, until: None }),
    }
}
