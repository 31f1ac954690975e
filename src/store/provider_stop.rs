//! What providers told last of templates, numbers and accounts of ours, and having those looked at whom it concerns.
//!
//! Locks: the lanes of all accounts concerned, then stops in their order, then runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::PgConnection;

use super::claim::lock_lanes;
use super::rows::{decode, strange};
use super::{Error, Store};
use crate::domain::{AccountId, CampaignId, Timestamp};
use crate::lifecycle::means::{Means, Template};
use crate::lifecycle::stop::{Known, Stop, Stops, Subject};

/// A number of ours as its provider calls it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SenderName {
    pub channel: String,
    /// By which it sends.
    pub number: String,
    /// The digits that people dial.
    pub digits: Option<String>,
    /// The account at the provider that it belongs to.
    pub business: Option<String>,
}

impl Store {
    /// Remembers what numbers of ours are called; what is not told this time stays as it was.
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
        .map_err(Error::during("note what numbers are called"))?;
        Ok(())
    }
}

/// A subject as columns: its kind, its name, and its language or nothing.
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
    message: String,
}

impl Row {
    fn stop(self) -> Result<Stop, sqlx::Error> {
        let Self { channel, kind, name, language, said_at, is_stopped, until, message } = self;
        let subject = match kind.as_str() {
            "template" => Subject::Template { name, language: Some(language).filter(|tag| !tag.is_empty()) },
            "number" => Subject::Number(name),
            "business" => Subject::Business(name),
            _ => return Err(strange("what a provider stops", &kind)),
        };
        Ok(Stop { channel, subject, said_at, is_stopped, until, message })
    }
}

/// What providers told last, those whose time is over as lifted. Of numbers nothing is known yet.
pub(super) async fn read(tx: &mut PgConnection, now: Timestamp) -> Result<Stops, Error> {
    const OPERATION: &str = "read what providers stop";
    let rows: Vec<Row> = sqlx::query_as(
        "select channel, kind, name, language, said_at, is_stopped and coalesce(until > $1, true) as is_stopped, until,
                message
         from provider_stop order by channel, kind, name, language",
    )
    .bind(now)
    .fetch_all(tx)
    .await
    .map_err(Error::during(OPERATION))?;
    let all = rows.into_iter().map(Row::stop).collect::<Result<_, _>>().map_err(decode(OPERATION))?;
    Ok(Stops { all, ..Stops::default() })
}

/// Adds what is known of `numbers`, and of the accounts behind channels.
pub(super) async fn know(tx: &mut PgConnection, stops: &mut Stops, numbers: &[String]) -> Result<(), Error> {
    const OPERATION: &str = "read what numbers are called";
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

/// Notes `told`, of each subject what was told last, and has the runs looked at that it may concern. What is older than what
/// is known changes nothing; of two of the same instant the one that stops counts.
pub(super) async fn note(tx: &mut PgConnection, told: &[&Stop], means: &Means, now: Timestamp) -> Result<(), Error> {
    let mut last: BTreeMap<(&str, &Subject), &Stop> = BTreeMap::new();
    for stop in told {
        let known = last.entry((&stop.channel, &stop.subject)).or_insert(stop);
        if (known.said_at, known.is_stopped) < (stop.said_at, stop.is_stopped) {
            *known = stop;
        }
    }
    if last.is_empty() {
        return Ok(());
    }
    let stops: Vec<&Stop> = last.into_values().collect();
    let campaigns = concerned(&stops, means);
    lock_accounts(tx, campaigns.as_deref()).await?;
    save(tx, &stops, campaigns.as_deref()).await?;
    look_again(tx, campaigns.as_deref(), now).await
}

/// The campaigns that use a template of which something was told; `None`: every campaign may be concerned.
fn concerned(stops: &[&Stop], means: &Means) -> Option<Vec<i32>> {
    let using = |stop: &&Stop| match &stop.subject {
        Subject::Template { name, .. } => Some(means.using(name)),
        Subject::Number(_) | Subject::Business(_) => None,
    };
    let all: Vec<Vec<CampaignId>> = stops.iter().map(using).collect::<Option<_>>()?;
    Some(all.into_iter().flatten().map(|id| id.0).collect())
}

/// Locks the lanes of the accounts that have a run of one of `campaigns`, or any, that is not over.
async fn lock_accounts(tx: &mut PgConnection, campaigns: Option<&[i32]>) -> Result<(), Error> {
    let accounts: Vec<i32> = sqlx::query_scalar(
        "select distinct account_id from run where ($1::int[] is null or campaign_id = any($1)) and finished_at is null",
    )
    .bind(campaigns)
    .fetch_all(&mut *tx)
    .await
    .map_err(Error::during("look whom a stop concerns"))?;
    lock_lanes(tx, &accounts.into_iter().map(AccountId).collect::<Vec<_>>()).await
}

/// Saves what is news, and has the runs forget that a template was refused which can be sent again.
async fn save(tx: &mut PgConnection, stops: &[&Stop], campaigns: Option<&[i32]>) -> Result<(), Error> {
    let columns: Vec<(&str, &str, &str)> = stops.iter().map(|stop| columns(&stop.subject)).collect();
    sqlx::query(
        "with news as (
           insert into provider_stop as s (channel, kind, name, language, said_at, is_stopped, until, message)
           select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::boolean[],
                                $7::timestamptz[], $8::text[])
           order by 1, 2, 3, 4
           on conflict (channel, kind, name, language) do update
             set said_at = excluded.said_at, is_stopped = excluded.is_stopped, until = excluded.until,
                 message = excluded.message
             where (s.said_at, s.is_stopped) < (excluded.said_at, excluded.is_stopped)
           returning channel, kind, name, language, is_stopped)
         update run r set fault_revision_id = null from news n
         where n.kind = 'template' and not n.is_stopped and r.fault_revision_id is not null and r.finished_at is null
           and ($9::int[] is null or r.campaign_id = any($9)) and (r.fault_channel, r.fault_template) = (n.channel, n.name)
           and n.language in ('', r.fault_language)",
    )
    .bind(stops.iter().map(|stop| stop.channel.as_str()).collect::<Vec<_>>())
    .bind(columns.iter().map(|column| column.0).collect::<Vec<_>>())
    .bind(columns.iter().map(|column| column.1).collect::<Vec<_>>())
    .bind(columns.iter().map(|column| column.2).collect::<Vec<_>>())
    .bind(stops.iter().map(|stop| stop.said_at).collect::<Vec<_>>())
    .bind(stops.iter().map(|stop| stop.is_stopped).collect::<Vec<_>>())
    .bind(stops.iter().map(|stop| stop.until).collect::<Vec<_>>())
    .bind(stops.iter().map(|stop| stop.message.as_str()).collect::<Vec<_>>())
    .bind(campaigns)
    .execute(tx)
    .await
    .map_err(Error::during("note what a provider stops"))?;
    Ok(())
}

/// Has those runs of `campaigns`, or of all, looked at that may be stopped or go on. Their lanes are locked.
async fn look_again(tx: &mut PgConnection, campaigns: Option<&[i32]>, now: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "update run set check_at = least(check_at, $2)
         where ($1::int[] is null or campaign_id = any($1)) and finished_at is null
           and (phase = 'active' or (phase = 'paused' and reason in ('template-error', 'channel-unhealthy')))",
    )
    .bind(campaigns)
    .bind(now)
    .execute(tx)
    .await
    .map_err(Error::during("have runs looked at that a stop concerns"))?;
    Ok(())
}

/// What a person has looked at: a campaign, for its templates; an account, by the number it sends by; or all of a channel.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lifted<'a> {
    Templates(&'a [&'a Template]),
    Number(&'a str),
    Channel(&'a str),
}

/// Lifts what providers stopped, because a person has looked; what they tell of it from now on counts again. The lanes of all
/// who [wait](waiting) are locked. Returns what was said when it was stopped.
pub(super) async fn lift(tx: &mut PgConnection, lifted: Lifted<'_>) -> Result<Vec<String>, Error> {
    let (mut names, mut languages, mut number, mut channel) = (Vec::new(), Vec::new(), None, None);
    match lifted {
        Lifted::Templates(templates) => {
            (names, languages) = templates.iter().map(|one| (one.name.as_str(), one.language.as_str())).unzip();
        }
        Lifted::Number(name) => number = Some(name),
        Lifted::Channel(name) => channel = Some(name),
    }
    sqlx::query_scalar(
        "with lifted as (update provider_stop s set is_stopped = false, until = null
         where s.is_stopped and (
           s.channel = $1
           or (s.kind = 'number' and (s.name = $2 or exists (
                 select from sender n where (n.channel, n.number, n.digits) = (s.channel, $2, s.name))))
           or (s.kind = 'template' and exists (
                 select from unnest($3::text[], $4::text[]) as u (name, language)
                 where u.name = s.name and s.language in ('', u.language))))
         returning s.channel, s.kind, s.name, s.language, s.message)
         select message from lifted order by channel, kind, name, language",
    )
    .bind(channel)
    .bind(number)
    .bind(names)
    .bind(languages)
    .fetch_all(tx)
    .await
    .map_err(Error::during("lift what a provider stopped"))
}

/// The accounts of which a run waits that may go on when a provider, or somebody who has looked, lifts a stop.
pub(super) async fn waiting(tx: &mut PgConnection) -> Result<Vec<AccountId>, Error> {
    let accounts: Vec<i32> = sqlx::query_scalar(
        "select distinct account_id from run where finished_at is null and phase = 'paused'
           and reason in ('template-error', 'channel-unhealthy')",
    )
    .fetch_all(tx)
    .await
    .map_err(Error::during("look who waits for a provider"))?;
    Ok(accounts.into_iter().map(AccountId).collect())
}

/// Has everybody looked at who waits. Their lanes are locked.
pub(super) async fn wake_waiting(tx: &mut PgConnection, now: Timestamp) -> Result<u64, Error> {
    let woken = sqlx::query(
        "update run set check_at = least(check_at, $1) where finished_at is null and phase = 'paused'
           and reason in ('template-error', 'channel-unhealthy')",
    )
    .bind(now)
    .execute(tx)
    .await
    .map_err(Error::during("have runs looked at that wait for a provider"))?;
    Ok(woken.rows_affected())
}

/// Forgets what concerns channels that are gone.
pub(super) async fn forget(tx: &mut PgConnection, channels: &[&str]) -> Result<(), Error> {
    sqlx::query(
        "with stops as (delete from provider_stop where channel = any($1)) delete from sender where channel = any($1)",
    )
    .bind(channels)
    .execute(tx)
    .await
    .map_err(Error::during("forget what channels were told"))?;
    Ok(())
}
