update lane l
set tally_since = u.since, tally_before_since = u.before_since, handed = u.handed, failed = u.failed,
    opted_out = u.opted_out, handed_before = u.handed_before, failed_before = u.failed_before,
    opted_out_before = u.opted_out_before, throttled_until = u.throttled_until, throttles = u.throttles,
    wake_at = case when u.throttled_until > $12 then greatest(l.wake_at, u.throttled_until) else l.wake_at end
from unnest($1::int[], $2::timestamptz[], $3::int[], $4::int[], $5::int[], $6::timestamptz[], $7::int[], $8::int[],
            $9::int[], $10::timestamptz[], $11::int[])
     as u (account_id, since, handed, failed, opted_out, before_since, handed_before, failed_before, opted_out_before,
           throttled_until, throttles)
where l.account_id = u.account_id
