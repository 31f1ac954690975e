update run r
set taken = case when u.taken = 0 or r.taken_on >= u.day then r.taken else 0 end + u.taken,
    taken_on = case when u.taken = 0 then r.taken_on else greatest(r.taken_on, u.day) end,
    check_at = case when u.halted or (u.ended and not exists (
                      select from target t where t.account_id = r.account_id and t.campaign_id = r.campaign_id
                                             and t.state = 'active'))
                    then u.at else r.check_at end
from unnest($1::int[], $2::int[], $3::date[], $4::int[], $5::boolean[], $6::boolean[], $7::timestamptz[])
     as u (account_id, campaign_id, day, taken, ended, halted, at)
where r.account_id = u.account_id and r.campaign_id = u.campaign_id
