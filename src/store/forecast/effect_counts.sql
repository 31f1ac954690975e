with asked as (
  select * from jsonb_to_recordset($1) as s (place bigint, names text[], labels jsonb, campaigns integer[], exits boolean)),
counted as (
  select k.names, k.labels, (
    select count(*) from account a
    where (k.names is null or a.external_id = any(k.names)) and (k.labels is null or a.attributes @> k.labels)) as accounts
  from (select distinct names, labels from asked where campaigns is null) k)
select s.place, c.accounts, 0::bigint as exits
from asked s join counted c on s.names is not distinct from c.names and s.labels is not distinct from c.labels
where s.campaigns is null
union all
select s.place, count(distinct r.account_id), coalesce(sum(t.active), 0)::bigint
from asked s
join run r on r.campaign_id = any(s.campaigns) and r.finished_at is null
left join lateral (
  select count(*) as active from target t
  where s.exits and t.account_id = r.account_id and t.campaign_id = r.campaign_id and t.state = 'active') t on true
where s.campaigns is not null
group by s.place
