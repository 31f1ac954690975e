with these as (
  select * from account
  where ($1::text is null or external_id = $1) and ($3::text is null or external_id > $3) order by external_id limit $2),
people as (
  select account_id, count(*) as referrals, count(*) filter (where paid_at is null) as unpaid
  from referral where is_current and account_id = any(array(select id from these)) group by account_id),
runs as (
  select account_id, count(*) as active from run
  where phase = 'active' and account_id = any(array(select id from these)) group by account_id),
targets as (
  select account_id, count(*) as active from target
  where state = 'active' and account_id = any(array(select id from these)) group by account_id)
select a.id as number, a.external_id, a.name, a.phone, a.language, a.country, a.timezone,
       a.subscription_plan, a.subscription_ends_at, a.whatsapp_status, a.attributes as labels,
       coalesce(p.referrals, 0) as referrals, coalesce(p.unpaid, 0) as unpaid,
       coalesce(r.active, 0) as active_runs, coalesce(t.active, 0) as active_targets
from these a left join people p on p.account_id = a.id left join runs r on r.account_id = a.id
left join targets t on t.account_id = a.id order by a.external_id
