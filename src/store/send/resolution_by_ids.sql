select * from (
  select distinct on (u.id) u.id, m.account_id, m.campaign_id, m.referral_id, m.day, m.quota_date
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::smallint[])
         as u (id, campaign, account, referral, day)
  join account a on a.external_id = u.account
  join referral r on r.external_id = u.referral and r.account_id = a.id
  join campaign c on c.name = u.campaign
  join message m on (m.account_id, m.referral_id, m.campaign_id, m.day) = (a.id, r.id, c.id, u.day)
  where $6::int is null or a.id = $6
  order by u.id, m.state = 'uncertain' desc, c.id desc) m
order by account_id, campaign_id, referral_id, day
