//! People who never received a message, with the reasons.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Serialize, Serializer};

use crate::core::dispatch::program::Program;
use crate::core::domain::{CampaignId, Timestamp};
use crate::core::lifecycle::run::{Phase, Reason};
use crate::core::lifecycle::target::Exit;
use crate::core::manifest::desired::{Campaign, Enrollment};
use crate::store::columns::Batch;
use crate::store::forecast::why_not::first_reason;
use crate::store::rows::strange;
use crate::store::runs::matcher::{BoundsRow, Lives, Matcher, conditions, people};
use crate::store::{Error, Store, WhyNot};

/// The reason why a person received no message. Of several campaigns the one that came closest counts; a later reason
/// is closer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unreached {
    /// No campaign in force selects the account.
    NoCampaign,
    /// The person does not match.
    NotMatched(WhyNot),
    /// The person matches, but the run enrolls no people: it is a draft, waits for its start, is paused or finished.
    RunNotActive,
    /// The person matches, but `limits` or `enrollment: once` leave no room.
    NoRoom,
    /// The person matches and will be enrolled in a later pass.
    NextPass,
    /// The person was enrolled and exited before the first message.
    Left(Exit),
    /// The person matches or was enrolled, but the account's subscription is over or it is not connected.
    CannotSend,
    /// The person was enrolled and waits for the first message.
    Waiting,
}

impl Unreached {
    /// Returns the machine-readable reason.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoCampaign => "no-campaign",
            Self::NotMatched(why) => why.as_str(),
            Self::RunNotActive => "run-not-active",
            Self::NoRoom => WhyNot::Cap.as_str(),
            Self::NextPass => "next-pass",
            Self::Left(Exit::Paid) => "left-paid",
            Self::Left(Exit::OptedOut) => "left-opted-out",
            Self::Left(Exit::Cancelled) => "left-cancelled",
            Self::Left(Exit::Undeliverable) => "left-undeliverable",
            Self::Left(Exit::Failed) => "left-failed",
            Self::Left(Exit::Removed) => "left-removed",
            Self::Left(Exit::Expired) => "left-expired",
            Self::CannotSend => "account-cannot-send",
            Self::Waiting => "waiting",
        }
    }

    /// Returns the meaning as the end of a sentence about several people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::NoCampaign => "belong to an account that no campaign is for",
            Self::NotMatched(why) => why.meaning(),
            Self::RunNotActive => "match a campaign that takes nobody for their account now",
            Self::NoRoom => WhyNot::Cap.meaning(),
            Self::NextPass => "match and will be taken soon",
            Self::Left(Exit::Paid) => "were taken, but paid before their first message",
            Self::Left(Exit::OptedOut) => "were taken, but opted out before their first message",
            Self::Left(Exit::Cancelled) => "were taken, but their run was cancelled before their first message",
            Self::Left(Exit::Undeliverable) => "were taken, but their first message was refused for good",
            Self::Left(Exit::Failed) => "were taken, but their first messages failed",
            Self::Left(Exit::Removed) => "were taken, but removed before their first message",
            Self::Left(Exit::Expired) => "were taken, but their run ended before their first message",
            Self::CannotSend => "match, but their account cannot send",
            Self::Waiting => "were taken and wait for their first message",
        }
    }
}

impl Serialize for Unreached {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The condition that no message has ever left for `referral r`.
macro_rules! nobody_wrote {
    () => {
        "not exists (select from message m where m.account_id = r.account_id and m.referral_id = r.id
                                             and m.state in ('sent', 'delivered', 'read', 'uncertain'))"
    };
}

type Person = (i32, i64);

impl Store {
    /// Returns the number of people, and of those to whom a message has left since `from`. Two rows of one account with
    /// the same phone count as one person.
    pub async fn count_people(&self, from: Timestamp) -> Result<(u64, u64), Error> {
        let (people, reached): (i64, i64) = sqlx::query_as(
            "select (select count(*) from referral where is_current),
                    (select count(*) from (select distinct account_id, referral_id from message
                                           where state in ('sent', 'delivered', 'read') and sent_at >= $1) r)",
        )
        .bind(from)
        .fetch_one(&self.pool)
        .await
        .map_err(Error::during("count people"))?;
        Ok((people.unsigned_abs(), reached.unsigned_abs()))
    }

    /// Returns the people to whom no message ever left, counted by the reason at `now`.
    pub async fn unreached(&self, program: &Program, now: Timestamp) -> Result<Vec<(Unreached, u64)>, Error> {
        let mut closest: HashMap<Person, Unreached> = HashMap::new();
        let mut note = |person: Person, reason: Unreached| {
            closest.entry(person).and_modify(|known| *known = reason.max(*known)).or_insert(reason);
        };
        for person in self.never_written_to().await? {
            note(person, Unreached::NoCampaign);
        }
        let accounts = self.account_facts(&program.policies).await?;
        let silent: HashSet<i32> =
            accounts.iter().filter(|account| !account.can_send(now)).map(|account| account.id.0).collect();
        for (id, campaign) in program.campaigns() {
            let takes = self.runs_that_took(id).await?;
            for (person, reason) in self.first_reasons(id, program, now).await? {
                let takes = takes.get(&person.0).copied();
                let missed = || {
                    if silent.contains(&person.0) { Unreached::CannotSend } else { left_out(&campaign.spec, takes) }
                };
                note(person, reason.map_or_else(missed, Unreached::NotMatched));
            }
        }
        for (person, exit) in self.taken_in_vain().await? {
            note(
                person,
                match exit {
                    Some(exit) => Unreached::Left(exit),
                    None if silent.contains(&person.0) => Unreached::CannotSend,
                    None => Unreached::Waiting,
                },
            );
        }
        let mut counts: BTreeMap<Unreached, u64> = BTreeMap::new();
        let everybody: Vec<Unreached> = closest.into_values().collect();
        for reason in everybody {
            *counts.entry(reason).or_default() += 1;
        }
        Ok(counts.into_iter().collect())
    }

    async fn never_written_to(&self) -> Result<Vec<Person>, Error> {
        sqlx::query_as(concat!("select r.account_id, r.id from referral r where r.is_current and ", nobody_wrote!()))
            .fetch_all(&self.pool)
            .await
            .map_err(Error::during("find people without a message"))
    }

    /// Returns the people of a campaign's accounts who never received a message, with the first reason against
    /// enrollment.
    async fn first_reasons(
        &self,
        id: CampaignId,
        program: &Program,
        now: Timestamp,
    ) -> Result<Vec<(Person, Option<WhyNot>)>, Error> {
        const OPERATION: &str = "find why people got no message";
        const REASONS: Batch<BoundsRow> = Batch::of(concat!(
            "select r.account_id, r.id, ",
            conditions!(first_reason),
            people!(),
            " and r.is_current and ",
            nobody_wrote!()
        ));
        let Some(campaign) = program.campaign(id) else { return Ok(Vec::new()) };
        let seekers = self.seekers(&campaign.spec.accounts, &program.policies).await?;
        let mut db = self.pool.acquire().await.map_err(Error::during(OPERATION))?;
        let lives = Lives::of(&mut db, &campaign.name, id).await?;
        let rows: Vec<(i32, i64, Option<String>)> = Matcher::new(&lives, &campaign.spec, &seekers, now)
            .query(&REASONS)
            .persistent(false)
            .fetch_all(&mut *db)
            .await
            .map_err(Error::during(OPERATION))?;
        rows.into_iter()
            .map(|(account, referral, reason)| {
                Ok(((account, referral), reason.as_deref().map(WhyNot::parse).transpose()?))
            })
            .collect::<Result<_, sqlx::Error>>()
            .map_err(Error::during(OPERATION))
    }

    /// Returns the accounts whose run enrolls people or has enrolled all it may; true if it still enrolls.
    async fn runs_that_took(&self, id: CampaignId) -> Result<HashMap<i32, bool>, Error> {
        let accounts: Vec<(i32, bool)> = sqlx::query_as(
            "select account_id, phase = $2 from run
             where campaign_id = $1 and (phase = $2 or (phase = $3 and reason = $4))",
        )
        .bind(id.0)
        .bind(Phase::Active.as_str())
        .bind(Phase::Completed.as_str())
        .bind(Reason::Drained.as_str())
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during("look for runs that take people"))?;
        Ok(accounts.into_iter().collect())
    }

    /// Returns the targets that never received a message, with the exit reason of those that exited.
    async fn taken_in_vain(&self) -> Result<Vec<(Person, Option<Exit>)>, Error> {
        const OPERATION: &str = "find people enrolled in vain";
        let rows: Vec<(i32, i64, Option<String>)> = sqlx::query_as(concat!(
            "select r.account_id, r.id, t.exit_reason
             from target t join referral r on r.account_id = t.account_id and r.id = t.referral_id
             where r.is_current and ",
            nobody_wrote!()
        ))
        .fetch_all(&self.pool)
        .await
        .map_err(Error::during(OPERATION))?;
        rows.into_iter()
            .map(|(account, referral, exit)| {
                let exit = exit.map(|text| Exit::parse(&text).ok_or_else(|| strange("an exit reason", &text)));
                Ok(((account, referral), exit.transpose()?))
            })
            .collect::<Result<_, sqlx::Error>>()
            .map_err(Error::during(OPERATION))
    }
}

/// Returns why a matching person is not in the account's run; `takes` is a value of [`Store::runs_that_took`].
fn left_out(spec: &Campaign, takes: Option<bool>) -> Unreached {
    let limits = &spec.limits;
    let limited = limits.targets.is_some() || limits.daily_enrollments.is_some() || spec.enrollment == Enrollment::Once;
    match takes {
        Some(_) if limited => Unreached::NoRoom,
        Some(true) => Unreached::NextPass,
        Some(false) | None => Unreached::RunNotActive,
    }
}
