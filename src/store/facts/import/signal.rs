//! Signals of refused rows: an opt-out and a payment count, and one that is not clear holds the person.
//!
//! A refused row concerns the referral of its id, else those of its phone in its account; other phones of the handset
//! count too.
//!
//! - An opt-out suppresses the row's phone, whether anybody has it or not, and the phone of the stored referral.
//! - A payment is a fact of one account. If the row's account cannot be read, it counts if one account alone knows the
//!   phone; else the people of all accounts that know it are held.
//! - If the stored referral of the row's id has another account and another phone, the id may be wrong: it is held.
//! - As for good rows, a row older than the stored one of its id says nothing, and an opt-out that is already stored
//!   does not suppress again.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::merge::{count, run};
use crate::core::domain::{AccountId, Heard, Phone, Signal, Timestamp};
use crate::core::lifecycle::detail::Detail;
use crate::core::lifecycle::event::EventKind;
use crate::store::Error;
use crate::store::columns::{Batch, columns};
use crate::store::event::{Event, tell};
use crate::store::facts::erased;
use crate::store::inbound::handset;

const CREATE: &str = "create temp table signal (line bigint not null, external_id text, account_id integer, phone text,
        opted_out boolean not null, paid_at timestamptz, unreadable text, as_of timestamptz not null) on commit drop;
    create temp table concerned (line bigint not null, account_id integer not null, id bigint not null,
        phone text not null, sure boolean not null) on commit drop;
    create temp table handset (phone text not null, other text not null) on commit drop";

columns! {
    struct SignalRow<'a> {
        line: i64,
        external_id: Option<&'a str>,
        account_id: Option<AccountId>,
        phone: Option<&'a str>,
        opted_out: bool,
        paid_at: Option<Timestamp>,
        unreadable: Option<&'a str>,
        as_of: Timestamp,
    }
}

const LOAD: Batch<SignalRow<'_>> = Batch::of(
    "insert into signal
     select * from unnest($1::bigint[], $2::text[], $3::int[], $4::text[], $5::boolean[], $6::timestamptz[], $7::text[],
                          $8::timestamptz[])
       as u (line, external_id, account_id, phone, opted_out, paid_at, unreadable, as_of)",
);

/// Removes the signals of erased people, and those of rows older than the stored referral.
const DROP: &str = "delete from signal s using referral r
    where r.external_id = s.external_id and (r.erased_at is not null or s.as_of < r.as_of);
    analyze signal";

/// The phones of signals, and those of the stored referrals with their ids.
const PHONES: &str = "select phone from signal where phone is not null
    union select r.phone from signal s join referral r on r.external_id = s.external_id";

const CONCERNED: &str = concat!(include_str!("signal_concerned.sql"), "; analyze concerned");

/// Adds the phones to suppress to those of good rows.
const STOP: &str = "insert into stopped
    select p.phone from (
        select s.line, s.phone from signal s where s.opted_out and s.phone is not null
        union
        select c.line, c.phone from concerned c join signal s on s.line = c.line and s.opted_out where c.sure) p
    where not exists (
        select from concerned c join referral r on (r.account_id, r.id) = (c.account_id, c.id)
        where c.line = p.line and c.phone = p.phone and r.consent = 'opted_out')
    group by p.phone";

const WITHDRAW: &str = "with said as (
        select c.account_id, c.id, max(s.as_of) as at
        from concerned c join signal s on s.line = c.line and s.opted_out where c.sure group by c.account_id, c.id
    ), done as (
        update referral r set consent = 'opted_out', consent_source = null, consent_at = said.at from said
        where (r.account_id, r.id) = (said.account_id, said.id) and r.consent is distinct from 'opted_out'
        returning r.account_id
    )
    select distinct account_id from done";

const PAY: &str = "with said as (
        select c.account_id, c.id, min(s.paid_at) as at, max(s.as_of) as as_of
        from concerned c join signal s on s.line = c.line and s.paid_at is not null where c.sure group by c.account_id, c.id
    ), done as (
        update referral r set paid_at = least(r.paid_at, said.at), paid_as_of = greatest(r.paid_as_of, said.as_of)
        from said where (r.account_id, r.id) = (said.account_id, said.id)
          and (r.paid_at is null or r.paid_at > said.at or r.paid_as_of is null or r.paid_as_of < said.as_of)
        returning r.account_id
    )
    select distinct account_id from done";

/// Holds people, except suppressed ones. Rows are in the order of their keys, as for replies.
const HOLD: &str = "with done as (
        insert into person_hold (account_id, phone, text, held_at)
        select distinct on (c.account_id, c.phone) c.account_id, c.phone,
            'line ' || c.line || ' of an import: '
                || coalesce(s.unreadable, 'an opt-out or a payment of this person or of another one'), $1
        from concerned c join signal s on s.line = c.line
        where (s.unreadable is not null or not c.sure and (s.opted_out or s.paid_at is not null))
          and not exists (select from suppression x where x.phone = c.phone)
        order by c.account_id, c.phone, c.line
        on conflict (account_id, phone) do nothing returning account_id
    )
    select account_id, count(*) from done group by account_id order by account_id";

const COUNT: &str = "select
        count(*) filter (where s.opted_out and (s.phone is not null or c.sure)),
        count(*) filter (where s.paid_at is not null and c.sure),
        count(*) filter (where s.unreadable is not null and c.line is not null or c.unsure and (s.opted_out or s.paid_at is not null))
    from signal s
    left join (select line, bool_or(sure) as sure, bool_or(not sure) as unsure from concerned group by line) c
      on c.line = s.line";

/// The result of hearing refused rows.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) rows: Heard,
    /// The accounts with a newly recorded opt-out or payment, or with a held person.
    pub(super) accounts: Vec<i32>,
}

/// Finds the people of `signals`, and adds the phones of opt-outs to `stopped`. It runs after good rows are merged.
/// Rows without `updated_at` have the age `as_of`. Returns false if there are no signals.
pub(super) async fn gather(tx: &mut PgConnection, signals: &[Signal], as_of: Timestamp) -> Result<bool, Error> {
    if signals.is_empty() {
        return Ok(false);
    }
    let phones: BTreeSet<&str> = signals.iter().filter_map(|signal| signal.phone.as_ref().map(Phone::as_str)).collect();
    let gone = erased::among(tx, &phones.into_iter().collect::<Vec<_>>()).await?;
    run(tx, CREATE, "prepare the signals of refused rows").await?;
    let rows = signals.iter().map(|signal| SignalRow {
        line: i64::try_from(signal.line).unwrap_or(i64::MAX),
        external_id: signal.id.as_deref(),
        account_id: signal.account,
        phone: signal.phone.as_ref().map(Phone::as_str),
        opted_out: signal.opted_out,
        paid_at: signal.paid_at,
        unreadable: signal.unreadable.as_deref(),
        as_of: signal.updated_at.unwrap_or(as_of),
    });
    let rows = rows.filter(|row| row.phone.is_none_or(|phone| !gone.contains(phone)));
    let loaded = LOAD.query(rows).persistent(false).execute(&mut *tx).await;
    loaded.map_err(Error::during("load the signals of refused rows"))?;
    run(tx, DROP, "leave out signals that are too old").await?;
    load_handsets(tx).await?;
    run(tx, CONCERNED, "find people of refused rows").await?;
    run(tx, STOP, "find opt-outs in refused rows").await?;
    Ok(true)
}

/// Loads the other phones of the handsets of these people.
async fn load_handsets(tx: &mut PgConnection) -> Result<(), Error> {
    const OPERATION: &str = "find other phones of people of refused rows";
    let phones: Vec<String> =
        sqlx::query_scalar(PHONES).persistent(false).fetch_all(&mut *tx).await.map_err(Error::during(OPERATION))?;
    let others = handset::others_of_many(tx, &phones).await?;
    let pairs = others.iter().flat_map(|(phone, others)| others.iter().map(move |other| (phone, other)));
    let (phones, others): (Vec<&String>, Vec<&String>) = pairs.unzip();
    sqlx::query("insert into handset select * from unnest($1::text[], $2::text[])")
        .persistent(false)
        .bind(phones)
        .bind(others)
        .execute(tx)
        .await
        .map(drop)
        .map_err(Error::during(OPERATION))
}

/// Records the consent withdrawn and the payments of refused rows, and holds people whose row is not clear. It runs after
/// the suppressions of the import.
pub(super) async fn hear(tx: &mut PgConnection, now: Timestamp) -> Result<Done, Error> {
    let mut accounts: Vec<i32> = Vec::new();
    for (sql, operation) in [(WITHDRAW, "record opt-outs of refused rows"), (PAY, "record payments of refused rows")] {
        let touched: Vec<i32> =
            sqlx::query_scalar(sql).persistent(false).fetch_all(&mut *tx).await.map_err(Error::during(operation))?;
        accounts.extend(touched);
    }
    let held: Vec<(i32, i64)> = sqlx::query_as(HOLD)
        .persistent(false)
        .bind(now)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::during("hold people of refused rows"))?;
    let event = |(account, people): &(i32, i64)| {
        let detail = Detail::RowsHeld { people: u64::try_from(*people).unwrap_or_default() };
        Event { account: Some(AccountId(*account)), ..Event::new(EventKind::NearOptOut, None, detail) }
    };
    tell(tx, &held.iter().map(event).collect::<Vec<_>>(), now).await?;
    accounts.extend(held.iter().map(|(account, _)| *account));
    let (opted_out, paid, held): (i64, i64, i64) = sqlx::query_as(COUNT)
        .persistent(false)
        .fetch_one(tx)
        .await
        .map_err(Error::during("count the signals of refused rows"))?;
    let [opted_out, paid, held] = [opted_out, paid, held].map(count);
    Ok(Done { rows: Heard { opted_out, paid, held }, accounts })
}
