with u as (
  select * from unnest($1::int[], $2::int[], $3::jsonb[], $4::timestamptz[], $5::text[], $6::text[], $7::text[])
                as u (account_id, campaign_id, fault, at, channel, template, language)),
faulty as (
  update run r
  set phase = 'paused', reason = 'template-error', detail = u.fault, fault_revision_id = r.revision_id,
      fault_channel = u.channel, fault_template = u.template, fault_language = u.language
  from u where (r.account_id, r.campaign_id) = (u.account_id, u.campaign_id) and r.phase = 'active'
  returning r.account_id, r.campaign_id, u.at, u.fault, r.revision_id),
events as (
  insert into event (account_id, campaign_id, at, kind, before, after, reason, detail, revision_id)
  select account_id, campaign_id, at, 'run-phase', 'active', 'paused', 'template-error', fault, revision_id
  from faulty order by account_id, campaign_id)
update run r set check_at = least(r.check_at, f.at)
from (select account_id, min(at) as at from faulty group by 1) f
where r.account_id = f.account_id and r.reason = 'filtered-campaign-active'
