with spec as (
  select * from jsonb_to_recordset($1) as s (campaign integer, names text[], labels jsonb)),
selected as (
  select a.id as account, s.campaign from spec s cross join account a
  where s.names is null and s.labels is null
  union all
  select a.id, s.campaign from spec s cross join unnest(s.names) as n join account a on a.external_id = n
  union all
  select l.account, s.campaign
  from (select distinct s.labels, a.id as account from spec s join account a on a.attributes @> s.labels) l
  join spec s on s.labels = l.labels),
made as (
  insert into run (account_id, campaign_id, phase, reason, detail, created_at, revision_id, check_at)
  select s.account, s.campaign, $2, $3, $4, $5, $6, $5 from selected s
  where not exists (select from run r where r.account_id = s.account and r.campaign_id = s.campaign)
  on conflict do nothing
  returning account_id, campaign_id, created_at, phase, reason, detail, revision_id)
insert into event (account_id, campaign_id, at, kind, after, reason, detail, revision_id)
select account_id, campaign_id, created_at, 'run-created', phase, reason, detail, revision_id from made
order by campaign_id, account_id
