//! The conditions for enrollment of a person in a campaign, each defined once with its name.

use serde::Serialize;
use sqlx::PgConnection;

use crate::core::domain::{AccountId, CampaignId, Name, ReferralId, Timestamp};
use crate::core::manifest::desired::Campaign;
use crate::store::columns::Batch;
use crate::store::rows::strange;
use crate::store::runs::matcher::{BoundsRow, Lives, Matcher, Seeker, conditions, matching, people};
use crate::store::{Error, Store};

/// The reason why a campaign does not enroll a person. If several apply, the first in this order is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhyNot {
    /// The row is an older one of a person who registered again with this account.
    NotCurrent,
    Paid,
    /// The filter requires people who paid.
    NotPaid,
    Suppressed,
    ConsentMissing,
    OptedOut,
    /// The person is or was in this campaign, or in an earlier one of its name.
    AlreadyTarget,
    /// `excludeCurrentTargets`: the person is active in another run of the account.
    InAnotherRun,
    /// The person registered less than `enrollAfter` ago.
    TooYoung,
    Country,
    /// The person registered outside the filter's `registered`.
    Registered,
    Gender,
    Profession,
    Age,
    Language,
    Attributes,
    /// Enrollment is off for the account.
    EnrollmentOff,
    /// The person matches, but the campaign's run for the account is over.
    RunOver,
    /// The person matches, but `limits.targets`, `limits.dailyEnrollments` or `enrollment: once` leaves no room now.
    Cap,
}

macro_rules! names {
    ($($reason:ident $name:literal $condition:expr;)*) => {
        impl WhyNot {
            /// Every reason, in order.
            pub const ALL: [Self; 19] = [$(Self::$reason,)* Self::RunOver, Self::Cap];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$reason => $name,)*
                    Self::RunOver => "run-over",
                    Self::Cap => "cap",
                }
            }
        }
    };
}
conditions!(names);

/// The first reason that keeps a referral out; null for a match.
macro_rules! first_reason {
    ($($reason:ident $name:literal $condition:expr;)*) => {
        concat!("case", $(" when (", $condition, ") is not true then '", $name, "'",)* " end")
    };
}
pub(in crate::store) use first_reason;

/// All reasons that keep a referral out, in order.
macro_rules! all_reasons {
    ($($reason:ident $name:literal $condition:expr;)*) => {
        concat!(
            "array_remove(array[",
            $("case when (", $condition, ") is not true then '", $name, "' end,",)*
            "null], null)"
        )
    };
}

impl WhyNot {
    pub(in crate::store) fn parse(text: &str) -> Result<Self, sqlx::Error> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or_else(|| strange("a reason", text))
    }

    /// Returns the meaning as the end of a sentence about several people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::NotCurrent => "are older rows of people who registered again",
            Self::Paid => "have paid",
            Self::NotPaid => "have not paid",
            Self::Suppressed => "asked to get no messages",
            Self::ConsentMissing => "have not agreed to be contacted",
            Self::OptedOut => "opted out",
            Self::AlreadyTarget => "are or were in this campaign",
            Self::InAnotherRun => "are in another campaign now",
            Self::TooYoung => "registered less than `enrollAfter` ago",
            Self::Country => "live in another country",
            Self::Registered => "registered at another time",
            Self::Gender => "are of another gender, or it is not known",
            Self::Profession => "have another profession, or none that is known",
            Self::Age => "are of another age, or it is not known",
            Self::Language => "speak another language, or it is not known",
            Self::Attributes => "have other attributes",
            Self::EnrollmentOff => "match, but enrollment is off for their account",
            Self::RunOver => "match, but the campaign's run for their account is over",
            Self::Cap => "match, but there is no room for them now",
        }
    }

    /// Returns the meaning as the end of a sentence about one person.
    pub const fn of_one(self) -> &'static str {
        match self {
            Self::NotCurrent => "is an older row of somebody who registered again",
            Self::Paid => "has paid",
            Self::NotPaid => "has not paid",
            Self::Suppressed => "asked to get no messages",
            Self::ConsentMissing => "has not agreed to be contacted",
            Self::OptedOut => "opted out",
            Self::AlreadyTarget => "is or was in this campaign",
            Self::InAnotherRun => "is in another campaign now",
            Self::TooYoung => "registered less than `enrollAfter` ago",
            Self::Country => "lives in another country",
            Self::Registered => "registered at another time",
            Self::Gender => "is of another gender, or it is not known",
            Self::Profession => "has another profession, or none that is known",
            Self::Age => "is of another age, or it is not known",
            Self::Language => "speaks another language, or it is not known",
            Self::Attributes => "has other attributes",
            Self::EnrollmentOff => "enrollment is off for the account",
            Self::RunOver => "matches, but the campaign's run for the account is over",
            Self::Cap => "matches, but there is no room now",
        }
    }
}

impl Store {
    /// Counts the referrals of `seekers` by account and first reason; `None` stands for those who would be enrolled
    /// now.
    pub async fn count_mismatches(
        &self,
        (name, campaign): (&Name, CampaignId),
        spec: &Campaign,
        seekers: &[Seeker],
        now: Timestamp,
    ) -> Result<Vec<(AccountId, Option<WhyNot>, u64)>, Error> {
        const OPERATION: &str = "count people that do not match";
        const COUNT: Batch<BoundsRow> = Batch::of(concat!(
            "select d.account_id, ",
            conditions!(first_reason),
            " as reason, count(*), max(d.room) ",
            people!(),
            " group by 1, 2 order by 1, 2 nulls first"
        ));
        let mut db = self.pool.acquire().await.map_err(Error::during(OPERATION))?;
        let lives = Lives::of(&mut db, name, campaign).await?;
        let rows: Vec<(i32, Option<String>, i64, Option<i64>)> = Matcher::new(&lives, spec, seekers, now)
            .query(&COUNT)
            .persistent(false)
            .fetch_all(&mut *db)
            .await
            .map_err(Error::during(OPERATION))?;
        let mut counts = Vec::new();
        for (account, reason, count, room) in rows {
            let account = AccountId(account);
            let reason = reason.as_deref().map(WhyNot::parse).transpose().map_err(Error::during(OPERATION))?;
            let taken = if reason.is_none() { count.min(room.unwrap_or_default()) } else { count };
            let left = count - taken;
            let is_over = seekers.iter().any(|seeker| seeker.account == account && seeker.is_over);
            let full = if is_over { WhyNot::RunOver } else { WhyNot::Cap };
            counts.extend([(reason, taken), (Some(full), left)].map(|(why, n)| (account, why, n.unsigned_abs())));
        }
        counts.retain(|(_, _, count)| *count > 0);
        counts.sort_by_key(|(account, reason, _)| (*account, *reason));
        Ok(counts)
    }

    /// Returns every reason why the campaign would not enroll `referral` of the account of `seeker` now.
    ///
    /// The list is empty if the person would be enrolled. The result is `None` if the account has no such referral.
    pub async fn why_not(
        &self,
        (name, campaign): (&Name, CampaignId),
        spec: &Campaign,
        seeker: &Seeker,
        referral: ReferralId,
        now: Timestamp,
    ) -> Result<Option<Vec<WhyNot>>, Error> {
        const OPERATION: &str = "find why a person does not match";
        const REASONS: Batch<BoundsRow> =
            Batch::of(concat!("select ", conditions!(all_reasons), people!(), " and r.id = $19"));
        let mut db = self.pool.acquire().await.map_err(Error::during(OPERATION))?;
        let lives = Lives::of(&mut db, name, campaign).await?;
        let matcher = Matcher::new(&lives, spec, std::slice::from_ref(seeker), now);
        let row: Option<(Vec<String>,)> = matcher
            .clone()
            .query(&REASONS)
            .bind(referral.0)
            .persistent(false)
            .fetch_optional(&mut *db)
            .await
            .map_err(Error::during(OPERATION))?;
        let Some((reasons,)) = row else { return Ok(None) };
        let reasons: Result<Vec<WhyNot>, sqlx::Error> = reasons.iter().map(|reason| WhyNot::parse(reason)).collect();
        let mut reasons = reasons.map_err(Error::during(OPERATION))?;
        if reasons.is_empty() && seeker.is_over {
            reasons.push(WhyNot::RunOver);
        } else if reasons.is_empty()
            && seeker.room < u64::MAX
            && newer(&mut db, matcher, referral).await? >= seeker.room
        {
            reasons.push(WhyNot::Cap);
        }
        Ok(Some(reasons))
    }
}

/// Returns the number of matching people who are enrolled before `referral`.
async fn newer(db: &mut PgConnection, matcher: Matcher, referral: ReferralId) -> Result<u64, Error> {
    const NEWER: Batch<BoundsRow> = Batch::of(concat!(
        "select count(*)",
        matching!(),
        " and (r.registered_at, r.id) > (select p.registered_at, p.id from referral p
                                         where p.account_id = d.account_id and p.id = $19)"
    ));
    let (count,): (i64,) = matcher
        .query(&NEWER)
        .bind(referral.0)
        .persistent(false)
        .fetch_one(db)
        .await
        .map_err(Error::during("count the people of earlier campaigns"))?;
    Ok(count.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::WhyNot;

    #[test]
    fn reasons_have_one_name_and_one_order() {
        for (place, reason) in WhyNot::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
            assert_eq!(WhyNot::parse(reason.as_str()).unwrap(), reason);
        }
    }
}
