//! Payments of people with several rows: a payment counts for every row of the person in the account that registered
//! before it. So a payment of one row stops the messages that another row of the same person would get. A person who
//! registers again after a payment has not paid for that registration.

use sqlx::PgConnection;

use crate::core::domain::{AccountId, ReferralId};
use crate::store::Error;

/// Copies payments between the rows of the people in `person`, a query for `account_id` and `phone`. Returns the
/// accounts and ids of rows that changed.
macro_rules! share_payments {
    ($person:literal) => {
        concat!(
            "with person as (",
            $person,
            "), paid as (
               select r.account_id, r.id, min(o.paid_at) as at, max(o.paid_as_of) as as_of
               from person p
               join referral r on r.account_id = p.account_id and r.phone = p.phone and r.paid_at is null
               join referral o on o.account_id = r.account_id and o.phone = r.phone and o.paid_at >= r.registered_at
               group by r.account_id, r.id),
             done as (
               update referral r set paid_at = paid.at, paid_as_of = greatest(r.paid_as_of, paid.as_of)
               from paid where (r.account_id, r.id) = (paid.account_id, paid.id)
               returning r.account_id, r.id)
             select account_id, id from done order by account_id, id"
        )
    };
}

/// People of several rows that an import added or moved, or whose payment it changed. It reads the import's tables.
const OF_IMPORT: &str = share_payments!(
    "select e.account_id, e.phone from referral e
     where not e.is_current and (e.account_id, e.phone) in (
       select account_id, phone from changed where paid_at is distinct from old_paid_at
       union select account_id, phone from duplicate)"
);

/// People of several rows among those whom refused rows concern.
const OF_REFUSED_ROWS: &str = share_payments!(
    "select e.account_id, e.phone from referral e
     where not e.is_current and (e.account_id, e.phone) in (select account_id, phone from concerned)"
);

const OF_ROWS: &str = share_payments!(
    "select e.account_id, e.phone
     from unnest($1::int[], $2::bigint[]) as u (account_id, id)
     join referral n on (n.account_id, n.id) = (u.account_id, u.id)
     join referral e on e.account_id = n.account_id and e.phone = n.phone and not e.is_current"
);

/// Shares the payments of an import; `has_refused` if its refused rows concern people. It runs after rows are merged.
pub(super) async fn share_of_import(tx: &mut PgConnection, has_refused: bool) -> Result<Vec<(i32, i64)>, Error> {
    let mut rows = Vec::new();
    for sql in [Some(OF_IMPORT), has_refused.then_some(OF_REFUSED_ROWS)].into_iter().flatten() {
        let shared: Result<Vec<(i32, i64)>, _> = sqlx::query_as(sql).persistent(false).fetch_all(&mut *tx).await;
        rows.extend(shared.map_err(Error::during("share payments among rows of one person"))?);
    }
    Ok(rows)
}

/// Shares the payments of `rows`.
pub(super) async fn share(tx: &mut PgConnection, rows: &[(AccountId, ReferralId)]) -> Result<Vec<(i32, i64)>, Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_as(OF_ROWS)
        .bind(rows.iter().map(|(account, _)| account.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, referral)| referral.0).collect::<Vec<_>>())
        .fetch_all(tx)
        .await
        .map_err(Error::during("share payments among rows of one person"))
}
