//! Merging accounts.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::copy::{Rows, bits, staging};
use super::merge::{Merged, count, run};
use crate::core::domain::{
    AccountFact, AccountId, Country, Heard, KnownAccount, Language, Phone, Timestamp, WhatsappStatus, Zone,
};
use crate::store::Error;
use crate::store::lock::lock_lanes_of_import;
use crate::store::schedule::wake::wake;

pub(super) const COPY: &str = "copy staged from stdin (format binary)";

staging! {
    fn encode(rows: &mut Rows, line: u64, fact: &AccountFact<'_>, as_of: Timestamp);
    line "bigint not null" int8(i64::try_from(line).unwrap_or(i64::MAX));
    external_id "text not null" text(fact.id);
    as_of "timestamptz not null" instant(fact.updated_at.unwrap_or(as_of));
    says "integer not null" int4(says(fact));
    name "text not null" text(fact.name);
    phone "text" maybe_text(fact.phone.value().map(Phone::dialled));
    email "text" maybe_text(fact.email.value().copied());
    language "text" maybe_text(fact.language.value().map(Language::as_str));
    country "text" maybe_text(fact.country.value().map(Country::as_str));
    timezone "text not null" text(fact.timezone.as_str());
    subscription_plan "text" maybe_text(fact.subscription_plan.value().copied());
    subscription_ends_at "timestamptz" maybe_instant(fact.subscription_ends_at.value());
    whatsapp_status "text" maybe_text(fact.whatsapp_status.value().copied().map(WhatsappStatus::as_str));
    attributes "jsonb" attributes(&fact.attributes);
}

/// Returns the columns that the export contains, as bits in the order in which `CHANGED` reads them.
fn says(fact: &AccountFact<'_>) -> i32 {
    bits(&[
        fact.phone.is_given(),
        fact.email.is_given(),
        fact.language.is_given(),
        fact.country.is_given(),
        fact.subscription_plan.is_given(),
        fact.subscription_ends_at.is_given(),
        fact.whatsapp_status.is_given(),
    ])
}

/// Every account by its external id.
pub(super) async fn known(tx: &mut PgConnection) -> Result<HashMap<String, KnownAccount>, Error> {
    let rows: Vec<(String, i32, String)> = sqlx::query_as("select external_id, id, timezone from account")
        .fetch_all(tx)
        .await
        .map_err(Error::during("read the accounts"))?;
    let mut zones: HashMap<String, Zone> = HashMap::new();
    let known = rows.into_iter().map(|(external, id, timezone)| {
        // A zone that this machine no longer knows concerns only times without an offset.
        let zone = zones.entry(timezone).or_insert_with_key(|name| Zone::parse(name).unwrap_or_else(|_| Zone::utc()));
        (external, KnownAccount { id: AccountId(id), zone: zone.clone() })
    });
    Ok(known.collect())
}

/// Deletes rows superseded by a younger or later one with the same id, and counts those with equal content.
const REPEATED: &str = include_str!("account_repeated.sql");

const CHANGED: &str = "create temp table changed on commit drop as
    select a.id, s.as_of, m.*
    from staged s join account a on a.external_id = s.external_id
    cross join lateral (select
        s.name, s.timezone,
        case when s.says & 1 > 0 then s.phone else a.phone end as phone,
        case when s.says & 2 > 0 then s.email else a.email end as email,
        case when s.says & 4 > 0 then s.language else a.language end as language,
        case when s.says & 8 > 0 then s.country else a.country end as country,
        case when s.says & 16 > 0 then s.subscription_plan else a.subscription_plan end as subscription_plan,
        case when s.says & 32 > 0 and (a.subscription_as_of is null or s.as_of >= a.subscription_as_of)
             then s.subscription_ends_at else a.subscription_ends_at end as subscription_ends_at,
        case when s.says & 64 > 0 and (a.whatsapp_as_of is null or s.as_of >= a.whatsapp_as_of)
             then s.whatsapp_status else a.whatsapp_status end as whatsapp_status,
        case when s.attributes is null then a.attributes
             else jsonb_strip_nulls(a.attributes || s.attributes) end as attributes) m
    where s.as_of >= a.as_of
      and (a.name, a.timezone, a.phone, a.email, a.language, a.country, a.subscription_plan, a.subscription_ends_at,
           a.whatsapp_status, a.attributes)
          is distinct from
          (m.name, m.timezone, m.phone, m.email, m.language, m.country, m.subscription_plan, m.subscription_ends_at,
           m.whatsapp_status, m.attributes)";

const UPDATE: &str = "update account a set
        name = c.name, timezone = c.timezone, phone = c.phone, email = c.email, language = c.language,
        country = c.country, subscription_plan = c.subscription_plan, subscription_ends_at = c.subscription_ends_at,
        whatsapp_status = c.whatsapp_status, attributes = c.attributes, as_of = c.as_of
    from changed c where a.id = c.id returning a.id";

const INSERT: &str = "insert into account (external_id, name, phone, email, language, country, timezone,
        subscription_plan, subscription_ends_at, whatsapp_status, attributes, as_of)
    select external_id, name, phone, email, language, country, timezone,
        subscription_plan, subscription_ends_at, whatsapp_status, jsonb_strip_nulls(coalesce(attributes, '{}')), as_of
    from staged s where not exists (select from account a where a.external_id = s.external_id)
    order by line returning id";

/// Merges the staged rows.
pub(super) async fn merge(tx: &mut PgConnection, now: Timestamp, staged: u64) -> Result<Merged, Error> {
    run(tx, "analyze staged", "count the staged rows").await?;
    let (gone, same): (i64, i64) = sqlx::query_as(REPEATED)
        .persistent(false)
        .fetch_one(&mut *tx)
        .await
        .map_err(Error::during("find repeated rows"))?;
    run(tx, CHANGED, "find changed accounts").await?;
    let mut touched = ids_of(tx, UPDATE, "update accounts").await?;
    let changed = touched.len() as u64;
    let fresh = ids_of(tx, INSERT, "insert accounts").await?;
    let inserted = fresh.len() as u64;
    touched.extend(fresh);
    lock_lanes_of_import(tx, &touched, false).await?;
    wake(tx, &touched, now).await?;
    let updated = changed + count(gone - same);
    Ok(Merged {
        inserted,
        updated,
        unchanged: staged - inserted - updated,
        rejected: Vec::new(),
        heard: Heard::default(),
    })
}

async fn ids_of(tx: &mut PgConnection, sql: &'static str, operation: &'static str) -> Result<Vec<i32>, Error> {
    sqlx::query_scalar(sql).persistent(false).fetch_all(tx).await.map_err(Error::during(operation))
}
