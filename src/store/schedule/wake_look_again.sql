with changed as (
  select * from unnest($1::int[], $2::int[], $3::timestamptz[], $4::boolean[])
    as u (account_id, campaign_id, at, gave_back)),
lanes as (
  update lane l set wake_at = least(l.wake_at, u.at)
  from (select account_id, min(at) as at from changed where gave_back group by 1) u
  where l.account_id = u.account_id)
update run r set check_at = u.at
from (select account_id, campaign_id, min(at) as at from changed group by 1, 2) u
where r.account_id = u.account_id and r.campaign_id = u.campaign_id
  and not exists (select from target t where t.account_id = u.account_id and t.campaign_id = u.campaign_id
                                         and t.state = 'active')
