select u.place, r.phone
from unnest($1::bigint[], $2::int[], $3::text[]) as u (place, account_id, country)
cross join lateral (
    select r.phone
    from run n
    join target t on (t.account_id, t.campaign_id) = (n.account_id, n.campaign_id) and t.state = 'active'
    join referral r on (r.account_id, r.id) = (t.account_id, t.referral_id)
    where n.account_id = u.account_id and (u.country is null or r.country = u.country)
      and exists (select from message m where (m.account_id, m.referral_id) = (t.account_id, t.referral_id))
      and not exists (select from alias a where a.phone = r.phone and a.id !~ '^[0-9]+$')
    limit $4) r
