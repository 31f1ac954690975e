select u.place, v.to_id
from unnest($1::bigint[], $2::int[], $3::int[], $4::bigint[], $5::smallint[], $6::text[])
     as u (place, account_id, campaign_id, referral_id, day, provider_id)
join moved_target v on (v.account_id, v.campaign_id, v.from_id) = (u.account_id, u.campaign_id, u.referral_id)
join message m on (m.account_id, m.referral_id, m.campaign_id, m.day) = (u.account_id, v.to_id, u.campaign_id, u.day)
where m.provider_id = u.provider_id
   or (coalesce(m.provider_id = u.provider_id, true) and not exists (
         select from message d where (d.account_id, d.referral_id, d.campaign_id, d.day)
                                   = (u.account_id, u.referral_id, u.campaign_id, u.day)))
