update message m
set state = 'sending', attempts = m.attempts + 1, quota_date = s.quota_date, phone = s.phone, language = s.language,
    text = s.text, template = s.template, revision_id = $12, error = null
from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[], $5::text[], $6::text[], $7::text[], $8::jsonb[],
            $9::date[], $10::timestamptz[], $11::timestamptz[])
     as s (account_id, campaign_id, referral_id, day, phone, language, text, template, quota_date, due_at, queued_at)
where (m.account_id, m.referral_id, m.campaign_id, m.day)
    = (s.account_id, s.referral_id, s.campaign_id, s.day) and m.state = 'queued'
returning m.account_id, m.campaign_id, m.referral_id, m.day, m.attempts
