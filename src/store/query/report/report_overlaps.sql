with pairs as (
  select a.campaign_id as one, b.campaign_id as other, count(*) as people
  from target a join target b on b.account_id = a.account_id and b.referral_id = a.referral_id
                             and b.campaign_id > a.campaign_id
  where a.enrolled_at < coalesce(b.ended_at, 'infinity') and b.enrolled_at < coalesce(a.ended_at, 'infinity')
    and coalesce(a.ended_at, 'infinity') > $1 and coalesce(b.ended_at, 'infinity') > $1
  group by 1, 2),
put_off as (
  select least(m.campaign_id, o.campaign_id) as one, greatest(m.campaign_id, o.campaign_id) as other,
         count(distinct (m.account_id, m.referral_id, m.campaign_id, m.day)) as messages
  from message m join message o on o.account_id = m.account_id and o.referral_id = m.referral_id
                               and o.campaign_id <> m.campaign_id
  where m.queued_at >= $1 and mod(extract(epoch from m.due_at), 900) = 0
    and o.quota_date is not null and o.queued_at < m.due_at and o.queued_at >= m.due_at - interval '25 hours'
  group by 1, 2)
select one, other, people, coalesce(messages, 0) from pairs left join put_off using (one, other)
order by 1, 2
