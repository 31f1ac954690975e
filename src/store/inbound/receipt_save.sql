update message m
set state = u.state, sent_at = u.sent_at, delivered_at = u.delivered_at, read_at = u.read_at,
    provider_id = u.provider_id, error = u.error, failed_at = u.failed_at
from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[], $5::text[], $6::timestamptz[], $7::timestamptz[],
            $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[])
     as u (account_id, campaign_id, referral_id, day, state, sent_at, delivered_at, read_at, failed_at, provider_id,
           error)
where (m.account_id, m.referral_id, m.campaign_id, m.day)
    = (u.account_id, u.referral_id, u.campaign_id, u.day)
