update message m
set state = case when u.abandoned is not null and not exists (
                   select from target t where t.state = 'active' and (t.account_id, t.campaign_id, t.referral_id)
                     = (u.account_id, u.campaign_id, u.referral_id))
                 then u.abandoned else u.state end,
    error = case when m.phone = '' then null when u.moves then u.error else m.error end,
    sent_at = coalesce(m.sent_at, u.sent_at),
    provider_id = case when m.phone <> '' then coalesce(u.provider_id, m.provider_id) end,
    quota_date = case when u.back then null else m.quota_date end,
    attempts = case when u.counts then m.attempts else m.attempts - 1 end
from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[], $5::text[], $6::timestamptz[], $7::text[],
            $8::text[], $9::boolean[], $10::boolean[], $11::boolean[], $12::text[])
     as u (account_id, campaign_id, referral_id, day, state, sent_at, provider_id, error, back, counts, moves, abandoned)
where (m.account_id, m.referral_id, m.campaign_id, m.day)
    = (u.account_id, u.referral_id, u.campaign_id, u.day)
