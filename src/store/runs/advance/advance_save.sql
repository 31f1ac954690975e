with looked as (
  select * from unnest($1::int[], $2::int[], $3::text[], $4::text[], $5::jsonb[], $6::timestamptz[], $9::jsonb[],
                       $10::boolean[], $11::text[])
                as u (account_id, campaign_id, phase, reason, detail, check_at, told, ahead, actor)),
lanes as (update lane set wake_at = least(wake_at, $7) where account_id = any($8)),
events as (
  insert into event (account_id, campaign_id, at, kind, actor, before, after, reason, detail, revision_id)
  select r.account_id, r.campaign_id, $7, 'run-phase', u.actor, r.phase, u.phase, u.reason, u.told, r.revision_id
  from looked u join run r on r.account_id = u.account_id and r.campaign_id = u.campaign_id
  where (r.phase, r.reason) <> (u.phase, u.reason)
     -- An order that is repeated as it was has another id, and changes nothing else.
     or (u.reason = 'operator' and r.detail - 'order' <> u.detail - 'order')
  order by r.account_id, r.campaign_id)
update run r
set phase = u.phase, reason = u.reason, detail = u.detail, check_at = u.check_at,
    started_at = case when u.phase = 'active' then coalesce(r.started_at, $7)
                      when u.reason <> 'waiting-for-people' then r.started_at end,
    passes = case when u.reason = 'waiting-for-people' then 0 else r.passes end,
    last_pass_found = case when u.reason <> 'waiting-for-people' then r.last_pass_found end,
    busy = r.busy and u.reason <> 'waiting-for-people',
    ahead_at = case when u.ahead then coalesce(r.ahead_at, $7) end,
    finished_at = case when u.phase in ('completed', 'cancelled') then coalesce(r.finished_at, $7) end,
    fault_revision_id = case when u.phase <> 'active' then r.fault_revision_id end,
    enroll_at = case when u.phase = 'active' and r.phase <> 'active' then $7
                     when u.phase in ('completed', 'cancelled') or u.reason = 'waiting-for-people' then null else r.enroll_at end
from looked u where r.account_id = u.account_id and r.campaign_id = u.campaign_id
