//! Duplicate rows of a person: chooses the primary row.
//!
//! Rows of one account with one phone are one person, and the newest registration is primary. When another row becomes
//! primary, the person's targets and messages move to it, so that no sequence starts again at day 1. Receipts find a moved
//! message by the row for which it was sent.
//!
//! A row with a message in flight stays primary and keeps that target, because the outcome refers to it. The next
//! import merges the rest, as it does for a target enrolled during this one. Claims lock their targets, so none begins
//! between this check and the commit.

use sqlx::PgConnection;

use super::merge::{count, run};
use crate::core::domain::Timestamp;
use crate::store::Error;

/// People with several rows that are affected: a row is new, its phone or registration changes, or an earlier merge was
/// not possible.
const GATHER: &str = "create temp table duplicate on commit drop as
    with pair as (
        select account_id, phone from staged group by account_id, phone having count(*) > 1
        union
        select s.account_id, s.phone from staged s
        join referral r on r.account_id = s.account_id and r.phone = s.phone and r.external_id <> s.external_id
    )
    select s.account_id, s.phone from staged s join pair p on p.account_id = s.account_id and p.phone = s.phone
    where not exists (select from referral r where r.external_id = s.external_id)
    union
    select account_id, old_phone from changed where old_phone <> phone or old_registered_at <> registered_at
    union
    select account_id, phone from changed where old_phone <> phone or old_registered_at <> registered_at
    union
    select o.account_id, o.phone from referral o
    join referral c on c.account_id = o.account_id and c.phone = o.phone and c.is_current
    where not o.is_current and (o.registered_at, o.id) > (c.registered_at, c.id)
    union
    select o.account_id, o.phone from referral o
    join run n on n.account_id = o.account_id
    join target t on t.account_id = o.account_id and t.campaign_id = n.campaign_id and t.referral_id = o.id
    where not o.is_current and t.state = 'active'";

const SPOKE: &str = "create temp table spoke on commit drop as
    select r.account_id, r.id
    from referral r join duplicate t on t.account_id = r.account_id and t.phone = r.phone where r.is_current";

const CLEAR: &str = "update referral r set is_current = false from spoke s
    where r.account_id = s.account_id and r.id = s.id";

/// Locks the targets; the lanes are already locked.
const LOCK: &str = "select from duplicate w
    join referral r on r.account_id = w.account_id and r.phone = w.phone
    join run n on n.account_id = r.account_id
    join target t on t.account_id = r.account_id and t.campaign_id = n.campaign_id and t.referral_id = r.id
    order by t.account_id, t.campaign_id, t.referral_id for update of t";

const SPEAK: &str = "create temp table primary_row on commit drop as
    select distinct on (r.account_id, r.phone) r.account_id, r.phone, r.id
    from referral r join duplicate t on t.account_id = r.account_id and t.phone = r.phone
    left join spoke s on s.account_id = r.account_id and s.id = r.id
    order by r.account_id, r.phone, s.id is not null and exists (
        select from message m where m.account_id = s.account_id and m.referral_id = s.id
        and m.state in ('queued', 'sending')) desc, r.registered_at desc, r.id desc;

    update referral r set is_current = true from primary_row s where r.account_id = s.account_id and r.id = s.id";

/// Targets of duplicate rows: each `moves` to the primary row or, where the primary row has a target in that run,
/// ends.
const FOLD: &str = "create temp table folded on commit drop as
    select t.account_id, t.campaign_id, t.referral_id, s.id as primary_id,
        not exists (select from target h where h.account_id = t.account_id and h.campaign_id = t.campaign_id
                    and h.referral_id = s.id)
        and not exists (select from message m where m.account_id = t.account_id and m.referral_id = t.referral_id
                        and m.campaign_id = t.campaign_id and m.state in ('queued', 'sending'))
        and 1 = row_number() over (partition by t.account_id, t.campaign_id, s.id
                                   order by (p.id is not null) desc, t.state = 'active' desc, t.referral_id desc)
        as moves
    from primary_row s
    join referral r on r.account_id = s.account_id and r.phone = s.phone and not r.is_current
    join run n on n.account_id = r.account_id
    join target t on t.account_id = r.account_id and t.campaign_id = n.campaign_id and t.referral_id = r.id
    left join spoke p on p.account_id = r.account_id and p.id = r.id";

const MOVE: &str = "update message m set referral_id = f.primary_id from folded f
    where f.moves and m.account_id = f.account_id and m.referral_id = f.referral_id and m.campaign_id = f.campaign_id;
    update target t set referral_id = f.primary_id from folded f
    where f.moves and t.account_id = f.account_id and t.campaign_id = f.campaign_id and t.referral_id = f.referral_id;
    update provider_message p set referral_id = f.primary_id from folded f
    where f.moves and p.account_id = f.account_id and p.referral_id = f.referral_id and p.campaign_id = f.campaign_id;
    update moved_target v set to_id = f.primary_id from folded f
    where f.moves and v.account_id = f.account_id and v.campaign_id = f.campaign_id and v.to_id = f.referral_id;
    insert into moved_target (account_id, campaign_id, from_id, to_id)
    select account_id, campaign_id, referral_id, primary_id from folded where moves
    on conflict (account_id, campaign_id, from_id) do update set to_id = excluded.to_id;
    delete from moved_target v using folded f
    where v.account_id = f.account_id and v.campaign_id = f.campaign_id and v.to_id = f.primary_id and v.from_id = v.to_id";

/// Ends the doubled targets. Their retries are never attempted again.
const END: &str = "with gone as (
      update target t set state = 'exited', exit_reason = 'removed', due_at = null, ended_at = $1
      from folded f where not f.moves and t.state = 'active'
        and t.account_id = f.account_id and t.campaign_id = f.campaign_id and t.referral_id = f.referral_id
      returning t.account_id, t.referral_id, t.campaign_id)
    update message m set state = 'failed', error = coalesce(m.error || '; ', '') || 'the person left'
    from gone g
    where (m.account_id, m.referral_id, m.campaign_id) = (g.account_id, g.referral_id, g.campaign_id)
      and m.state = 'queued'";

/// Finds the people whose rows must be compared. It runs before the merge and reads `staged` and `changed`.
pub(super) async fn gather(tx: &mut PgConnection) -> Result<u64, Error> {
    run(tx, GATHER, "find persons of several rows").await?;
    let duplicates: i64 = sqlx::query_scalar("select count(*) from duplicate")
        .persistent(false)
        .fetch_one(&mut *tx)
        .await
        .map_err(Error::during("count persons of several rows"))?;
    if duplicates > 0 {
        run(tx, "analyze duplicate", "count persons of several rows").await?;
        run(tx, SPOKE, "find primary rows").await?;
        run(tx, CLEAR, "clear primary rows").await?;
    }
    Ok(count(duplicates))
}

/// Makes the newest row of each gathered person primary, and moves the targets of the duplicates to it. Returns the
/// accounts with a new primary row.
pub(super) async fn settle(tx: &mut PgConnection, now: Timestamp) -> Result<Vec<i32>, Error> {
    run(tx, LOCK, "lock the targets of persons of several rows").await?;
    run(tx, SPEAK, "choose primary rows").await?;
    run(tx, FOLD, "find targets of former primary rows").await?;
    run(tx, MOVE, "move targets to primary rows").await?;
    sqlx::query(END)
        .persistent(false)
        .bind(now)
        .execute(&mut *tx)
        .await
        .map_err(Error::during("end doubled targets"))?;
    sqlx::query_scalar(
        "select distinct account_id from primary_row s
         where not exists (select from spoke p where p.account_id = s.account_id and p.id = s.id)",
    )
    .persistent(false)
    .fetch_all(tx)
    .await
    .map_err(Error::during("find accounts with new primaries"))
}
