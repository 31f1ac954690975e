//! Restrictions: the latest provider reports on templates, numbers and accounts, and the runs that they affect.
//!
//! Locks: the lanes of all accounts concerned, then restrictions in key order, then runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::PgConnection;
use sqlx::types::Json;

use super::affected::Affected;
use crate::core::domain::{CampaignId, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::restriction::{Known, Restriction, Restrictions, Subject};
use crate::core::lifecycle::send_resources::SendResources;
use crate::store::rows::{decode, strange};
use crate::store::{Error, Senders, Store};

/// A sender number as its provider names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SenderName {
    pub channel: String,
    /// The id by which it sends.
    pub number: String,
    /// The digits that people dial.
    pub digits: Option<String>,
    /// The provider account that owns it.
    pub business: Option<String>,
}

impl Store {
    /// Saves the provider names of sender numbers; missing parts keep their values.
    pub async fn learn_senders(&self, names: &BTreeSet<SenderName>) -> Result<(), Error> {
        let names: BTreeMap<(&str, &str), &SenderName> =
            names.iter().map(|name| ((name.channel.as_str(), name.number.as_str()), name)).collect();
        if names.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into sender as s (channel, number, digits, business)
             select * from unnest($1::text[], $2::text[], $3::text[], $4::text[]) order by 1, 2
             on conflict (channel, number) do update
               set digits = coalesce(excluded.digits, s.digits), business = coalesce(excluded.business, s.business)
               where (s.digits, s.business) is distinct from
                     (coalesce(excluded.digits, s.digits), coalesce(excluded.business, s.business))",
        )
        .bind(names.keys().map(|(channel, _)| *channel).collect::<Vec<_>>())
        .bind(names.keys().map(|(_, number)| *number).collect::<Vec<_>>())
        .bind(names.values().map(|name| name.digits.as_deref()).collect::<Vec<_>>())
        .bind(names.values().map(|name| name.business.as_deref()).collect::<Vec<_>>())
        .execute(&self.pool)
        .await
        .map_err(Error::during("save the provider's names of numbers"))?;
        Ok(())
    }
}

/// Returns a subject as columns: its kind, its name, and its language or an empty string.
fn columns(subject: &Subject) -> (&'static str, &str, &str) {
    match subject {
        Subject::Template { name, language } => ("template", name, language.as_deref().unwrap_or_default()),
        Subject::Number(name) => ("number", name, ""),
        Subject::Business(name) => ("business", name, ""),
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    channel: String,
    kind: String,
    name: String,
    language: String,
    said_at: Timestamp,
    is_stopped: bool,
    until: Option<Timestamp>,
    #[sqlx(json)]
    detail: Detail,
}

impl Row {
    fn stop(self) -> Result<Restriction, sqlx::Error> {
        let Self { channel, kind, name, language, said_at, is_stopped, until, detail } = self;
        let subject = match kind.as_str() {
            "template" => Subject::Template { name, language: Some(language).filter(|tag| !tag.is_empty()) },
            "number" => Subject::Number(name),
            "business" => Subject::Business(name),
            _ => return Err(strange("what a provider stops", &kind)),
        };
        Ok(Restriction { channel, subject, said_at, is_stopped, until, detail })
    }
}

/// Reads restrictions; for templates also lifted ones, since the latest report on one language or on all languages
/// counts. A restriction that is over by itself lifts no other one. The names of numbers are not read yet.
pub(super) async fn read(tx: &mut PgConnection, now: Timestamp) -> Result<Restrictions, Error> {
    const OPERATION: &str = "read the restrictions of providers";
    let rows: Vec<Row> = sqlx::query_as(
        "select channel, kind, name, language, said_at, stops as is_stopped, until, detail
         from (select *, is_stopped and coalesce(until > $1, true) as stops from provider_stop) s
         where stops or (kind = 'template' and not is_stopped) order by channel, kind, name, language, has_end",
    )
    .bind(now)
    .fetch_all(tx)
    .await
    .map_err(Error::during(OPERATION))?;
    let all = rows.into_iter().map(Row::stop).collect::<Result<_, _>>().map_err(decode(OPERATION))?;
    Ok(Restrictions { all, ..Restrictions::default() })
}

/// Adds the known names of `numbers`, and of the accounts behind channels.
pub(super) async fn know(tx: &mut PgConnection, stops: &mut Restrictions, numbers: &[String]) -> Result<(), Error> {
    const OPERATION: &str = "read the provider's names of numbers";
    let rows: Vec<(String, String, Option<String>, Option<String>)> =
        sqlx::query_as("select channel, number, digits, business from sender where number = any($1)")
            .bind(numbers)
            .fetch_all(&mut *tx)
            .await
            .map_err(Error::during(OPERATION))?;
    let known: HashMap<_, _> = rows
        .into_iter()
        .map(|(channel, number, digits, business)| ((channel, number), Known { digits, business }))
        .collect();
    let businesses: Vec<(String, String)> =
        sqlx::query_as("select distinct channel, business from sender where business is not null")
            .fetch_all(tx)
            .await
            .map_err(Error::during(OPERATION))?;
    stops.numbers = known;
    for (channel, business) in businesses {
        stops.businesses.entry(channel).or_default().insert(business);
    }
    Ok(())
}

/// Saves the latest of `reported` for each subject, and schedules a look at affected runs. A report older than the saved
/// one changes nothing; of two with the same time, the one that restricts counts. A restriction with an end and one
/// without are saved apart, so that neither shortens nor lifts the other; a release ends both.
pub(in crate::store) async fn note(
    tx: &mut PgConnection,
    reported: &[&Restriction],
    (resources, senders): (&SendResources, &Senders),
    now: Timestamp,
) -> Result<(), Error> {
    let mut last: BTreeMap<(&str, &Subject, bool), &Restriction> = BTreeMap::new();
    for stop in reported {
        for has_end in [false, true].into_iter().filter(|has_end| !stop.is_stopped || stop.until.is_some() == *has_end)
        {
            let known = last.entry((&stop.channel, &stop.subject, has_end)).or_insert(stop);
            if (known.said_at, known.is_stopped) < (stop.said_at, stop.is_stopped) {
                *known = stop;
            }
        }
    }
    if last.is_empty() {
        return Ok(());
    }
    let stops: Vec<&Restriction> = last.values().copied().collect();
    let affected = Affected::by(&stops, (resources, senders), tx).await?;
    affected.lock(tx).await?;
    let rows: Vec<(&Restriction, bool)> = last.iter().map(|((.., has_end), stop)| (*stop, *has_end)).collect();
    save(tx, &rows, &affected.using).await?;
    affected.look_again(tx, now).await
}

/// Saves new reports. Clears template refusals of runs if the template can be sent again: the reported template, or an
/// unidentified one of a campaign that uses it.
async fn save(
    tx: &mut PgConnection,
    stops: &[(&Restriction, bool)],
    using: &BTreeSet<(&str, CampaignId)>,
) -> Result<(), Error> {
    let (stops, have_ends): (Vec<&Restriction>, Vec<bool>) = stops.iter().copied().unzip();
    let columns: Vec<(&str, &str, &str)> = stops.iter().map(|stop| columns(&stop.subject)).collect();
    sqlx::query(include_str!("restriction_save.sql"))
        .bind(stops.iter().map(|stop| stop.channel.as_str()).collect::<Vec<_>>())
        .bind(columns.iter().map(|column| column.0).collect::<Vec<_>>())
        .bind(columns.iter().map(|column| column.1).collect::<Vec<_>>())
        .bind(columns.iter().map(|column| column.2).collect::<Vec<_>>())
        .bind(stops.iter().map(|stop| stop.said_at).collect::<Vec<_>>())
        .bind(stops.iter().map(|stop| stop.is_stopped).collect::<Vec<_>>())
        .bind(have_ends)
        .bind(stops.iter().map(|stop| stop.until).collect::<Vec<_>>())
        .bind(stops.iter().map(|stop| Json(&stop.detail)).collect::<Vec<_>>())
        .bind(using.iter().map(|(template, _)| *template).collect::<Vec<_>>())
        .bind(using.iter().map(|(_, campaign)| campaign.0).collect::<Vec<_>>())
        .execute(tx)
        .await
        .map_err(Error::during("save a provider's restrictions"))?;
    Ok(())
}

/// Deletes the restrictions and sender names of removed channels.
pub(in crate::store) async fn forget(tx: &mut PgConnection, channels: &[&str]) -> Result<(), Error> {
    sqlx::query(
        "with stops as (delete from provider_stop where channel = any($1)) delete from sender where channel = any($1)",
    )
    .bind(channels)
    .execute(tx)
    .await
    .map_err(Error::during("reset the failure counts of channels"))?;
    Ok(())
}
