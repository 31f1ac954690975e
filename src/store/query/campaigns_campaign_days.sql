with waiting as (
  select day, count(*) as waiting from target
  where campaign_id = any(array(select id from campaign where name = $1))
    and ($2::text is null or account_id = (select id from account where external_id = $2)) and due_at is not null
  group by day),
mail as (
  select day, count(*) filter (where state in ('sent', 'delivered', 'read')) as sent,
         count(*) filter (where state in ('delivered', 'read')) as delivered,
         count(*) filter (where state = 'read') as read, count(*) filter (where state = 'failed') as failed,
         count(*) filter (where state = 'uncertain') as uncertain
  from message
  where campaign_id = any(array(select id from campaign where name = $1))
    and ($2::text is null or account_id = (select id from account where external_id = $2))
  group by day)
select day, coalesce(w.waiting, 0) as waiting, coalesce(m.sent, 0) as sent,
       coalesce(m.delivered, 0) as delivered, coalesce(m.read, 0) as read, coalesce(m.failed, 0) as failed,
       coalesce(m.uncertain, 0) as uncertain
from waiting w full join mail m using (day) order by day
