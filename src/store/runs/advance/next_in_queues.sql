with queue as (
  select * from jsonb_to_recordset($1) as q (id bigint, campaigns integer[], most bigint))
select distinct c.account, next.id
from unnest($2::int[], $3::bigint[], $4::bigint[]) as c (account, queue, place)
join queue q on q.id = c.queue
cross join lateral (
  select m.id from unnest(q.campaigns[coalesce(c.place + 2, 1):]) with ordinality as m (id, place)
  where exists (select from run r where r.account_id = c.account and r.campaign_id = m.id
                                    and r.finished_at is null and r.reason <> 'waiting-for-people')
  order by m.place limit case when c.place is null then q.most else 1 end) next
