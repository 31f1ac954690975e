//! People under way when an edit comes into force: their days, and when they are due.

use std::collections::{BTreeMap, HashMap};

use sqlx::PgConnection;

use crate::core::dispatch::cadence::Handed;
use crate::core::dispatch::program::Whereabouts;
use crate::core::domain::{AccountId, CampaignId, Country, Name, ReferralId, TargetKey, Timestamp, Zone};
use crate::core::lifecycle::target::Event;
use crate::core::manifest::Desired;
use crate::core::plan::under_way::{UnderWay, Version, Waiting};
use crate::store::Error;
use crate::store::rows::{decode, strange, zone};
use crate::store::schedule::wake::{Changed, look_again};
use crate::store::send::target_rows::TargetRows;

const OPERATION: &str = "read the people whom an edit reaches";

/// The batch limit in accounts.
const BATCH: usize = 500;

/// The edits of campaigns that move people under way, by campaign.
pub(in crate::store) type Edits = BTreeMap<CampaignId, UnderWay>;

/// Returns the effect of an edit on people under way, if the campaign stands in both states and can be sent in both.
pub(in crate::store) fn under_way(
    (old, before): (&Name, &Desired),
    (new, after): (&Name, &Desired),
) -> Option<UnderWay> {
    Some(UnderWay::of(version(old, before)?, version(new, after)?))
}

fn version<'a>(name: &Name, desired: &'a Desired) -> Option<Version<'a>> {
    let spec = desired.campaigns.get(name)?;
    Some(Version { spec, sequence: desired.sequences.get(&spec.sequence)? })
}

#[derive(sqlx::FromRow)]
struct Row {
    account_id: i32,
    campaign_id: i32,
    referral_id: i64,
    day: i16,
    enrolled_at: Timestamp,
    registered_at: Timestamp,
    account_timezone: String,
    timezone: Option<String>,
    country: String,
    last_day: Option<i16>,
    last_due_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
}

/// Returns what the edits do to the people of `accounts` who wait. A message that is tried again keeps its instant.
pub(in crate::store) async fn moved(
    db: &mut PgConnection,
    edits: &Edits,
    accounts: &[AccountId],
) -> Result<Vec<(TargetKey, Event)>, Error> {
    let edits: BTreeMap<CampaignId, &UnderWay> =
        edits.iter().filter(|(_, edit)| !edit.moves_nobody()).map(|(id, edit)| (*id, edit)).collect();
    if edits.is_empty() || accounts.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = sqlx::query_as(include_str!("under_way.sql"))
        .bind(edits.keys().map(|id| id.0).collect::<Vec<_>>())
        .bind(edits.values().map(|edit| i32::from(edit.days())).collect::<Vec<_>>())
        .bind(accounts.iter().map(|account| account.0).collect::<Vec<_>>())
        .fetch_all(db)
        .await
        .map_err(Error::during(OPERATION))?;
    let mut zones: HashMap<String, Zone> = HashMap::new();
    for name in rows.iter().flat_map(|row| row.timezone.iter().chain([&row.account_timezone])) {
        if !zones.contains_key(name) {
            zones.insert(name.clone(), zone(name).map_err(decode(OPERATION))?);
        }
    }
    let mut events = Vec::new();
    for row in rows {
        let (account, campaign) = (AccountId(row.account_id), CampaignId(row.campaign_id));
        let last = row.last_day.zip(row.last_at).map(|(day, at)| Handed {
            day: day.unsigned_abs(),
            due_at: row.last_due_at.unwrap_or(at),
            at,
        });
        let country = Country::parse(&row.country).map_err(|_| strange("a country", &row.country));
        let timezone = row.timezone.as_ref().and_then(|name| zones.get(name));
        let Some(account_zone) = zones.get(&row.account_timezone) else { continue };
        let person = Waiting {
            account: account_zone,
            whereabouts: Whereabouts { timezone, country: country.map_err(decode(OPERATION))? },
            day: row.day.unsigned_abs(),
            enrolled_at: row.enrolled_at,
            registered_at: row.registered_at,
            last,
        };
        let Some(event) = edits.get(&campaign).and_then(|edit| edit.event(person)) else { continue };
        events.push((TargetKey { account, campaign, referral: ReferralId(row.referral_id) }, event));
    }
    Ok(events)
}

/// Moves the people under way as the edits want it. The lanes of `accounts` are locked.
pub(in crate::store) async fn move_people(
    tx: &mut PgConnection,
    edits: &Edits,
    accounts: &[AccountId],
    now: Timestamp,
) -> Result<(), Error> {
    for accounts in accounts.chunks(BATCH) {
        let (mut targets, mut changed) = (TargetRows::default(), Vec::new());
        for (key, event) in moved(tx, edits, accounts).await? {
            if event == Event::Finished {
                changed.push(Changed::of(key, now, false));
            }
            targets.push(key, event, now);
        }
        targets.save(tx).await?;
        look_again(tx, changed).await?;
    }
    Ok(())
}
