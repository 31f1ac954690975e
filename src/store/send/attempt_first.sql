insert into message (account_id, referral_id, campaign_id, day, state, attempts, quota_date, phone, language, text, template,
                     revision_id, due_at, queued_at)
select account_id, referral_id, campaign_id, day, 'sending', 1, quota_date, phone, language, text, template, $12, due_at,
       queued_at
from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[], $5::text[], $6::text[], $7::text[], $8::jsonb[],
            $9::date[], $10::timestamptz[], $11::timestamptz[])
     as s (account_id, campaign_id, referral_id, day, phone, language, text, template, quota_date, due_at, queued_at)
