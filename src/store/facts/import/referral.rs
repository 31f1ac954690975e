//! Merging referrals.

use sqlx::PgConnection;

use super::copy::{Rows, bits, staging};
use super::merge::{Merged, count, run};
use super::{Age, person, signal};
use crate::core::domain::{
    AccountId, Consent, Gender, Language, Phone, ReferralFact, Rejection, Signal, Timestamp, Zone, fold,
};
use crate::store::Error;
use crate::store::facts::erased::reject;
use crate::store::facts::{paid, payment};
use crate::store::inbound::handset;
use crate::store::lock::lock_lanes_of_import;
use crate::store::schedule::wake::wake;

pub(super) const COPY: &str = "copy staged from stdin (format binary)";

staging! {
    fn encode(rows: &mut Rows, line: u64, fact: &ReferralFact<'_>, as_of: Timestamp);
    line "bigint not null" int8(i64::try_from(line).unwrap_or(i64::MAX));
    external_id "text not null" text(fact.id);
    account_id "integer not null" int4(fact.account.0);
    as_of "timestamptz not null" instant(fact.updated_at.unwrap_or(as_of));
    own_age "boolean not null" boolean(fact.updated_at.is_some());
    says "integer not null" int4(says(fact));
    name "text not null" text(fact.name);
    phone "text not null" text(fact.phone.as_str());
    dialled "text" maybe_text(fact.phone.other_dialled());
    email "text" maybe_text(fact.email.value().copied());
    language "text" maybe_text(fact.language.value().map(Language::as_str));
    country "text not null" text(fact.country.as_str());
    gender "text" maybe_text(fact.gender.value().copied().map(Gender::as_str));
    profession "text" maybe_text(fact.profession.value().copied());
    profession_key "text" maybe_text(fact.profession.value().copied().map(fold).as_deref());
    birth_date "date" maybe_date(fact.birth_date.value());
    registered_at "timestamptz not null" instant(fact.registered_at);
    paid_at "timestamptz" maybe_instant(fact.paid_at.value());
    consent "text" maybe_text(fact.consent.value().copied().map(Consent::as_str));
    consent_source "text" maybe_text(fact.consent_source.value().copied());
    consent_at "timestamptz" maybe_instant(fact.consent_at.value());
    timezone "text" maybe_text(fact.timezone.value().map(Zone::as_str));
    attributes "jsonb" attributes(&fact.attributes);
}

/// Returns the columns that the export contains, as bits in the order in which `CHANGED` reads them.
fn says(fact: &ReferralFact<'_>) -> i32 {
    bits(&[
        fact.email.is_given(),
        fact.language.is_given(),
        fact.gender.is_given(),
        fact.profession.is_given(),
        fact.birth_date.is_given(),
        fact.paid_at.is_given(),
        fact.consent.is_given(),
        fact.consent_source.is_given(),
        fact.consent_at.is_given(),
        fact.timezone.is_given(),
    ])
}

/// Rows whose id is stored under another account.
const MOVED: &str = "with moved as (
        delete from staged s using referral r
        where r.external_id = s.external_id and r.account_id <> s.account_id
        returning s.line, s.account_id, r.account_id as owner, s.external_id, s.phone, s.as_of, s.paid_at, s.consent
    )
    select line, a.external_id as account, o.external_id as owner, moved.external_id as id, account_id, moved.phone,
        moved.as_of, paid_at, coalesce(consent = 'opted_out', false) as opted_out
    from moved join account a on a.id = account_id join account o on o.id = owner";

/// Ids that occur more than once in the file.
const REPEATED: &str = "create temp table contender on commit drop as
    select line, external_id, account_id, row_number() over best as place,
        first_value(account_id) over (partition by external_id order by line) as owner,
        row(name, phone, dialled, email, language, country, gender, profession, birth_date, registered_at, paid_at, consent,
            consent_source, consent_at, timezone, attributes)::text as content,
        as_of, paid_at, consent, consent_source, consent_at
    from staged
    where external_id in (select external_id from staged group by external_id having count(*) > 1)
    window best as (partition by external_id order by as_of desc, line desc)";

/// Rows among these whose account differs from that of the first row.
const MOVED_WITHIN: &str = "with moved as (
        delete from staged s using contender c where c.line = s.line and c.account_id <> c.owner
        returning s.line, c.account_id, c.owner, s.external_id, s.phone, s.as_of, s.paid_at, s.consent
    )
    select line, a.external_id as account, o.external_id as owner, moved.external_id as id, account_id, moved.phone,
        moved.as_of, paid_at, coalesce(consent = 'opted_out', false) as opted_out
    from moved join account a on a.id = account_id join account o on o.id = owner";

const RANK_AGAIN: &str = "delete from contender where account_id <> owner;
    update contender c set place = ranked.place
    from (select line, row_number() over (partition by external_id order by as_of desc, line desc) as place
          from contender) ranked
    where ranked.line = c.line";

/// Values of a superseded row that the winner keeps: an opt-out, and a payment that the winner leaves empty.
const INHERIT: &str = include_str!("referral_inherit.sql");

/// Deletes rows superseded by a younger or later one with the same id, and counts those with equal content.
const OVERTAKEN: &str = "with gone as (
        delete from staged s using contender c where c.line = s.line and c.place > 1 returning s.line
    )
    select count(*), count(*) filter (where loser.content = winner.content)
    from gone join contender loser on loser.line = gone.line
    join contender winner on winner.external_id = loser.external_id and winner.place = 1";

const CHANGED: &str = "create temp table changed on commit drop as
    select r.account_id, r.id, s.as_of, r.phone as old_phone, r.registered_at as old_registered_at,
        r.consent as old_consent, r.paid_at as old_paid_at, m.*
    from staged s join referral r on r.external_id = s.external_id
    cross join lateral (select
        s.name, s.phone, s.dialled, s.country, s.registered_at,
        case when s.says & 1 > 0 then s.email else r.email end as email,
        case when s.says & 2 > 0 then s.language else r.language end as language,
        case when s.says & 4 > 0 then s.gender else r.gender end as gender,
        case when s.says & 8 > 0 then s.profession else r.profession end as profession,
        case when s.says & 8 > 0 then s.profession_key else r.profession_key end as profession_key,
        case when s.says & 16 > 0 then s.birth_date else r.birth_date end as birth_date,
        case when s.says & 32 = 0 or s.paid_at is null and not (
                  s.own_age and s.as_of > r.as_of and (r.paid_as_of is null or s.as_of > r.paid_as_of)) then r.paid_at
             else s.paid_at end as paid_at,
        case when r.consent = 'opted_out' or s.says & 64 = 0 then r.consent else s.consent end as consent,
        case when r.consent = 'opted_out' or s.says & 128 = 0 then r.consent_source
             else s.consent_source end as consent_source,
        case when r.consent = 'opted_out' or s.says & 256 = 0 then r.consent_at else s.consent_at end as consent_at,
        case when s.says & 512 > 0 then s.timezone else r.timezone end as timezone,
        case when s.attributes is null then r.attributes
             else jsonb_strip_nulls(r.attributes || s.attributes) end as attributes) m
    where s.as_of >= r.as_of
      and (r.name, r.phone, r.dialled, r.country, r.registered_at, r.email, r.language, r.gender, r.profession, r.profession_key,
           r.birth_date, r.paid_at, r.consent, r.consent_source, r.consent_at, r.timezone, r.attributes)
          is distinct from
          (m.name, m.phone, m.dialled, m.country, m.registered_at, m.email, m.language, m.gender, m.profession, m.profession_key,
           m.birth_date, m.paid_at, m.consent, m.consent_source, m.consent_at, m.timezone, m.attributes)";

const UPDATE: &str = include_str!("referral_update.sql");

/// A person's only row becomes primary at once; the others wait for `person::settle`.
const INSERT: &str = include_str!("referral_insert.sql");

/// New opt-outs; the person may have revoked an older one since.
const STOPPED: &str = "create temp table stopped on commit drop as
    select phone from changed
    where consent = 'opted_out' and (old_consent is distinct from consent or old_phone <> phone)
    union
    select phone from staged s
    where consent = 'opted_out' and not exists (select from referral r where r.external_id = s.external_id)";

/// Suppresses opt-outs. Rows are in phone order, as for replies: transactions that lock phones in opposite orders
/// deadlock.
const SUPPRESS: &str = "insert into suppression (phone, source, suppressed_at)
    select distinct phone, 'import', $1::timestamptz from stopped order by phone on conflict (phone) do nothing";

/// Merges the staged rows, and hears the signals of refused ones.
pub(super) async fn merge(
    tx: &mut PgConnection,
    age: Age,
    staged: u64,
    mut signals: Vec<Signal>,
) -> Result<Merged, Error> {
    let now = age.now;
    run(tx, "analyze staged", "count the staged rows").await?;
    let mut rejected = reject(tx).await?;
    rejected.extend(moved(tx, MOVED, &mut signals).await?);
    let mut differing = 0;
    if run(tx, REPEATED, "find repeated rows").await? > 0 {
        rejected.extend(moved(tx, MOVED_WITHIN, &mut signals).await?);
        run(tx, RANK_AGAIN, "rank repeated rows").await?;
        run(tx, INHERIT, "keep opt-outs and payments of repeated rows").await?;
        let (gone, same): (i64, i64) = sqlx::query_as(OVERTAKEN)
            .persistent(false)
            .fetch_one(&mut *tx)
            .await
            .map_err(Error::during("drop repeated rows"))?;
        differing = count(gone - same);
    }
    run(tx, CHANGED, "find changed referrals").await?;
    run(tx, STOPPED, "find people who opted out").await?;
    let duplicates = person::gather(tx).await?;
    let changed = by_account(tx, UPDATE, "update referrals").await?;
    let inserted = by_account(tx, INSERT, "insert referrals").await?;
    let concerned = signal::gather(tx, &signals, age.as_of).await?;
    add_handsets(tx).await?;
    sqlx::query(SUPPRESS)
        .persistent(false)
        .bind(now)
        .execute(&mut *tx)
        .await
        .map_err(Error::during("suppress people who opted out"))?;
    let heard = if concerned { signal::hear(tx, now).await? } else { signal::Done::default() };
    let mut touched: Vec<i32> = changed.iter().chain(&inserted).map(|(account, _)| *account).collect();
    touched.extend(heard.accounts);
    let shared = payment::share_of_import(tx, concerned).await?;
    touched.extend(shared.iter().map(|(account, _)| *account));
    touched.sort_unstable();
    touched.dedup();
    // All lanes are locked in one pass. Two passes could deadlock with a transaction that locks them in order.
    lock_lanes_of_import(tx, &touched, duplicates > 0).await?;
    if duplicates > 0 {
        touched.extend(person::settle(tx, now).await?);
    }
    touched.sort_unstable();
    touched.dedup();
    paid::leave_by_import(tx, (duplicates > 0, concerned), now).await?;
    paid::leave(tx, shared.into_iter().unzip(), now).await?;
    wake(tx, &touched, now).await?;
    let total = |rows: &[(i32, i64)]| rows.iter().map(|(_, rows)| count(*rows)).sum::<u64>();
    let (inserted, updated) = (total(&inserted), total(&changed) + differing);
    let unchanged = staged - inserted - updated - rejected.len() as u64;
    Ok(Merged { inserted, updated, unchanged, rejected, heard: heard.rows })
}

/// Adds the other phones of their handsets to the phones that opted out.
async fn add_handsets(tx: &mut PgConnection) -> Result<(), Error> {
    const OPERATION: &str = "find other phones of people who opted out";
    let phones: Vec<String> = sqlx::query_scalar("select distinct phone from stopped")
        .persistent(false)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during(OPERATION))?;
    let others = handset::others_of_many(tx, &phones).await?;
    if others.is_empty() {
        return Ok(());
    }
    sqlx::query("insert into stopped select unnest($1::text[])")
        .persistent(false)
        .bind(others.into_values().flatten().collect::<Vec<_>>())
        .execute(tx)
        .await
        .map(drop)
        .map_err(Error::during(OPERATION))
}

#[derive(sqlx::FromRow)]
struct Moved {
    line: i64,
    account: String,
    owner: String,
    id: String,
    account_id: i32,
    phone: String,
    as_of: Timestamp,
    paid_at: Option<Timestamp>,
    opted_out: bool,
}

/// Refuses rows, and adds what they state against messages to `signals`.
async fn moved(tx: &mut PgConnection, sql: &'static str, signals: &mut Vec<Signal>) -> Result<Vec<Rejection>, Error> {
    let rows: Vec<Moved> = sqlx::query_as(sql)
        .persistent(false)
        .fetch_all(tx)
        .await
        .map_err(Error::during("find rows that changed their account"))?;
    let rejection = |row: &Moved| {
        let reason = format!("the id belongs to account `{}`: a referral cannot move to another account", row.owner);
        Rejection::new(count(row.line), "account_id", &row.account, reason)
    };
    let rejected = rows.iter().map(rejection).collect();
    let signal = |row: Moved| Signal {
        line: count(row.line),
        id: Some(row.id),
        account: Some(AccountId(row.account_id)),
        phone: Some(Phone::trusted(row.phone)),
        opted_out: row.opted_out,
        paid_at: row.paid_at,
        unreadable: None,
        updated_at: Some(row.as_of),
    };
    signals.extend(rows.into_iter().map(signal).filter(Signal::is_any));
    Ok(rejected)
}

async fn by_account(
    tx: &mut PgConnection,
    sql: &'static str,
    operation: &'static str,
) -> Result<Vec<(i32, i64)>, Error> {
    sqlx::query_as(sql).persistent(false).fetch_all(tx).await.map_err(Error::during(operation))
}
