//! Outcomes: the channel's results for a claimed batch.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::provider_message::{Names, news, save_people, stored_name};
use super::suppression::Listed;
use crate::core::dispatch::OutgoingMessage;
use crate::core::domain::{AccountId, CampaignId, Name, Phone, ReferralId, TargetKey, Timestamp};
use crate::core::lifecycle::outcome::{Consequence, Following, Outcome, OutcomeEffects};
use crate::core::lifecycle::target::Event;
use crate::store::columns::{Batch, columns};
use crate::store::facts::erased;
use crate::store::lock::lock_lanes;
use crate::store::schedule::wake::{Changed, look_again};
use crate::store::send::lease::return_leases;
use crate::store::send::message_rows;
use crate::store::send::quota::{Returned, give_back};
use crate::store::send::refusal::{Counts, Refused, take_effect};
use crate::store::send::target_rows::TargetRows;
use crate::store::{Error, Store};

impl Store {
    /// Saves outcomes and returns their leases, in one transaction: message states, targets that end or return, and the
    /// quota of messages that certainly did not leave.
    pub async fn save_outcomes(&self, outcomes: &[(OutgoingMessage, Outcome)], now: Timestamp) -> Result<(), Error> {
        let settled: Vec<(&OutgoingMessage, &Outcome, OutcomeEffects)> =
            outcomes.iter().map(|(claimed, outcome)| (claimed, outcome, claimed.judge(outcome, now))).collect();
        self.suppress_refused(&settled, now).await?;
        let mut tx = self.pool.begin().await.map_err(Error::during("begin to save outcomes"))?;
        let ours = return_leases(&mut tx, &settled).await?;
        let (in_time, late): (Vec<_>, Vec<_>) =
            settled.into_iter().partition(|(claimed, ..)| ours.contains(&claimed.lease));
        let refused = follow(&mut tx, &in_time, now).await?;
        // Late outcomes find their messages `uncertain` and their targets moved on. A late acceptance is still worth
        // saving. A late failure must not cause a retry behind the back of a person who has since resolved it.
        let left = late.into_iter().filter(|(_, outcome, _)| matches!(outcome, Outcome::Accepted { .. }));
        let mut settled: Vec<_> = in_time.into_iter().chain(left).collect();
        // Messages are locked in key order, as for receipts.
        settled.sort_by_key(|(claimed, ..)| claimed.key);
        message_rows::save(&mut tx, &settled, now).await?;
        // Channels stop after messages are locked, as for receipts.
        take_effect(&mut tx, &refused, now).await?;
        let named = learn(&mut tx, outcomes).await?;
        tx.commit().await.map_err(Error::during("commit outcomes"))?;
        self.suppress_known_handsets(&named, now).await
    }

    /// Suppresses people who, by the provider's report, refuse messages. This comes first and in its own transaction: a
    /// crash after it leaves uncertain messages, but no message is sent against a person's will.
    async fn suppress_refused(
        &self,
        settled: &[(&OutgoingMessage, &Outcome, OutcomeEffects)],
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut by_reason: BTreeMap<&str, BTreeSet<Phone>> = BTreeMap::new();
        for (claimed, outcome, settlement) in settled {
            if let (Outcome::Refused(refusal), Some(Consequence::Suppress)) = (outcome, settlement.consequence) {
                by_reason.entry(&refusal.error).or_default().insert(claimed.phone.clone());
            }
        }
        for (reason, phones) in by_reason {
            self.suppress(&phones, Listed::ByProvider, Some(reason), now).await?;
        }
        Ok(())
    }
}

/// Records what the provider calls the recipients, and returns the phones with news. It is the only way to know who says
/// STOP before a receipt. Names that are known cost one statement.
async fn learn(tx: &mut PgConnection, outcomes: &[(OutgoingMessage, Outcome)]) -> Result<BTreeSet<String>, Error> {
    let mut named = Names::new();
    for (claimed, outcome) in outcomes {
        if let Outcome::Accepted { names, .. } = outcome {
            named.extend(names.iter().map(|name| (stored_name(name), claimed.phone.as_str().to_owned())));
        }
    }
    let mut named = news(tx, named).await?;
    // A person may have been erased since the claim.
    let gone = erased::among(tx, &named.iter().map(|(_, phone)| phone.as_str()).collect::<Vec<_>>()).await?;
    named.retain(|(_, phone)| !gone.contains(phone));
    save_people(tx, named).await
}

/// Moves the targets and returns quota. This is rare: most outcomes change only the message. Returns the refusals that
/// must take effect, whose lanes are locked.
async fn follow<'a>(
    tx: &mut PgConnection,
    settled: &[(&'a OutgoingMessage, &'a Outcome, OutcomeEffects)],
    now: Timestamp,
) -> Result<Vec<Refused<'a>>, Error> {
    let mut targets = TargetRows::default();
    let (mut changed, mut returned, mut failures, mut refused) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (claimed, outcome, settlement) in settled {
        let (key, at) = (claimed.key.target, now.max(claimed.claimed_at));
        match settlement.following {
            Following::Nothing => {}
            Following::Finish | Following::LastDayFailed => targets.push(key, Event::Finished, at),
            Following::Retry { due_at } => {
                targets.push(key, Event::GivenBack { day: claimed.key.day.unsigned_abs(), due_at }, at);
            }
            Following::DayFailed { failed_days } => {
                failures.push(FailuresRow::of(key, failed_days));
            }
            Following::Leave(exit) => targets.push(key, Event::Left(exit), at),
        }
        if settlement.following != Following::Nothing || settlement.give_back {
            changed.push(Changed::of(key, at, settlement.give_back));
        }
        if settlement.give_back {
            let (account_id, campaign_id) = (key.account, key.campaign);
            returned.push(Returned { account_id, campaign_id, day: claimed.quota_date });
        }
        let (error, counts) = match outcome {
            Outcome::Accepted { .. } => continue,
            Outcome::Refused(refusal) => (&refusal.error, Counts::of(settlement.counts, refusal.reaction)),
            Outcome::Unknown { error } => (error, Counts::AsFailure),
        };
        refused.push(Refused {
            run: (key.account, key.campaign),
            channel: claimed.channel.as_ref().map(Name::as_str),
            template: claimed.content.template.as_ref(),
            error,
            consequence: settlement.consequence,
            handed_at: claimed.claimed_at,
            counts,
        });
    }
    if changed.is_empty() && refused.is_empty() {
        return Ok(refused);
    }
    let concerned = changed.iter().map(|one| one.account_id).chain(refused.iter().map(|one| one.run.0));
    lock_lanes(tx, &concerned.collect::<Vec<_>>()).await?;
    targets.save(tx).await?;
    if !failures.is_empty() {
        COUNT_FAILED_DAYS.query(failures).execute(&mut *tx).await.map_err(Error::during("count failed days"))?;
    }
    look_again(tx, changed).await?;
    if !returned.is_empty() {
        give_back(tx, returned).await?;
    }
    Ok(refused)
}

columns! {
    /// A target, and the days in a row on which its message failed.
    struct FailuresRow {
        account_id: AccountId,
        campaign_id: CampaignId,
        referral_id: ReferralId,
        failed_days: i16,
    }
}

impl FailuresRow {
    fn of(key: TargetKey, failed_days: u16) -> Self {
        let TargetKey { account: account_id, campaign: campaign_id, referral: referral_id } = key;
        Self { account_id, campaign_id, referral_id, failed_days: i16::try_from(failed_days).unwrap_or(i16::MAX) }
    }
}

const COUNT_FAILED_DAYS: Batch<FailuresRow> = Batch::of(
    "update target t set failed_days = u.failed_days
     from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[])
          as u (account_id, campaign_id, referral_id, failed_days)
     where (t.account_id, t.campaign_id, t.referral_id) = (u.account_id, u.campaign_id, u.referral_id)",
);
