select t.account_id, t.campaign_id, t.referral_id, t.day, t.enrolled_at, r.registered_at,
       a.timezone as account_timezone, r.timezone, r.country,
       m.day as last_day, m.due_at as last_due_at, m.queued_at as last_at
from unnest($1::int[], $2::int[]) as e (campaign_id, days)
join run n on n.campaign_id = e.campaign_id and n.account_id = any($3) and n.finished_at is null
join target t on t.account_id = n.account_id and t.campaign_id = n.campaign_id
             and t.state = 'active' and t.due_at is not null
join referral r on r.account_id = t.account_id and r.id = t.referral_id
join account a on a.id = t.account_id
left join lateral (
  select m.day, m.due_at, m.queued_at from message m
  where m.account_id = t.account_id and m.referral_id = t.referral_id and m.campaign_id = t.campaign_id
    and m.day < t.day
  order by m.day desc limit 1) m on true
where t.day > e.days or not exists (
  select from message m
  where m.account_id = t.account_id and m.referral_id = t.referral_id and m.campaign_id = t.campaign_id
    and m.day = t.day)
