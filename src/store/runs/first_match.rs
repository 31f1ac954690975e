//! The first person who matches: a filtered run waits for one before it begins.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::PgConnection;

use super::enroll::youngest;
use super::matcher::{BoundsRow, Earlier, Lives, Matcher, Seeker, all_hold, conditions, seekers};
use super::scene::Scene;
use crate::core::domain::{AccountId, CampaignId, Name, Timestamp};
use crate::core::lifecycle::enrollment::{Changes, next_match};
use crate::core::manifest::desired::Campaign;
use crate::store::Error;
use crate::store::columns::Batch;

/// The answer for one run: does anybody match now?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct FirstMatch {
    pub(in crate::store) somebody: bool,
    /// Nobody matches, but only because all who would are active in another run.
    pub(in crate::store) busy: bool,
    /// When another person may match, if nothing else happens.
    pub(in crate::store) again_at: Timestamp,
}

/// The answers known so far in a look at runs.
pub(in crate::store) type FirstMatches = HashMap<(AccountId, CampaignId), FirstMatch>;

/// Accounts with at least one match. The search of an account ends with its first match.
const ACCOUNTS: Batch<BoundsRow> = Batch::of(concat!(
    "select d.account_id from ",
    seekers!(),
    " where exists (select from referral r where r.account_id = d.account_id and $17::timestamptz is not null ",
    conditions!(all_hold),
    ")"
));

/// Finds out for each of `runs` whether anybody matches: a statement for each campaign, whatever its accounts.
pub(in crate::store) async fn first_matches(
    tx: &mut PgConnection,
    scene: &Scene<'_>,
    runs: BTreeMap<CampaignId, Vec<Seeker>>,
    now: Timestamp,
) -> Result<FirstMatches, Error> {
    let ids: Vec<i32> = runs.keys().map(|id| id.0).collect();
    let rows: Vec<(i32, String)> = sqlx::query_as("select id, name from campaign where id = any($1)")
        .bind(ids)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during("read the names of campaigns"))?;
    let names: BTreeMap<CampaignId, Name> =
        rows.into_iter().filter_map(|(id, text)| Some((CampaignId(id), Name::parse(&text).ok()?))).collect();
    let earlier = Earlier::of(tx, names.values()).await?;
    let mut found = FirstMatches::new();
    for (id, seekers) in runs {
        let (Some(spec), Some(name)) = (scene.specs.get(&id).copied(), names.get(&id)) else {
            // Every run gets an answer, so that no look at runs asks for ever.
            let free = FirstMatch { somebody: true, busy: false, again_at: now };
            found.extend(seekers.iter().map(|seeker| ((seeker.account, id), free)));
            continue;
        };
        let lives = earlier.lives(name, id);
        let matching = accounts(tx, Matcher::new(&lives, spec, &seekers, now)).await?;
        let without: Vec<Seeker> =
            seekers.iter().filter(|seeker| !matching.contains(&seeker.account)).cloned().collect();
        let busy = busy(tx, &lives, spec, &without, now).await?;
        let young: HashMap<AccountId, Timestamp> = youngest(tx, spec, &without, now).await?.into_iter().collect();
        for Seeker { account, zone, .. } in &seekers {
            let changes = Changes { now, midnight: zone.next_day(now), ripe_at: young.get(account).copied() };
            let answer = FirstMatch {
                somebody: matching.contains(account),
                busy: busy.contains(account),
                again_at: next_match(spec, changes),
            };
            found.insert((*account, id), answer);
        }
    }
    Ok(found)
}

/// Returns the accounts of `seekers` with people who match, except that they are active in another run.
pub(super) async fn busy(
    tx: &mut PgConnection,
    lives: &Lives,
    spec: &Campaign,
    seekers: &[Seeker],
    now: Timestamp,
) -> Result<HashSet<AccountId>, Error> {
    if seekers.is_empty() || !spec.filter.exclude_current_targets {
        return Ok(HashSet::new());
    }
    accounts(tx, Matcher::new(lives, spec, seekers, now).busy_or_not()).await
}

async fn accounts(tx: &mut PgConnection, matcher: Matcher) -> Result<HashSet<AccountId>, Error> {
    let rows: Vec<(i32,)> = matcher
        .query(&ACCOUNTS)
        .persistent(false)
        .fetch_all(tx)
        .await
        .map_err(Error::during("look for the first person of a run"))?;
    Ok(rows.into_iter().map(|(account,)| AccountId(account)).collect())
}
