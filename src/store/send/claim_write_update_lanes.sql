with next as (
  select q.account_id, min(greatest(q.not_before, t.due_at)) as wake_at
  from unnest($15::int[], $16::int[], $17::timestamptz[]) as q (account_id, campaign_id, not_before)
  cross join lateral (
    select due_at from target t
    where t.account_id = q.account_id and t.campaign_id = q.campaign_id and t.state = 'active'
      and t.due_at is not null
    order by t.due_at limit 1) t
  group by q.account_id)
update lane l
set taken = case when u.taken = 0 or l.taken_on >= u.day then l.taken else 0 end + u.taken,
    taken_on = case when u.taken = 0 then l.taken_on else greatest(l.taken_on, u.day) end,
    next_slot_at = u.slot, wave = u.wave, wave_sent = u.wave_sent, wake_at = next.wake_at,
    tally_since = u.since, tally_before_since = u.before_since, handed = u.handed, failed = u.failed,
    handed_before = u.handed_before, failed_before = u.failed_before, opted_out = u.opted_out,
    opted_out_before = u.opted_out_before
from unnest($1::int[], $2::date[], $3::int[], $4::timestamptz[], $5::int[], $6::int[], $7::timestamptz[], $8::int[],
            $9::int[], $10::int[], $11::timestamptz[], $12::int[], $13::int[], $14::int[])
     as u (account_id, day, taken, slot, wave, wave_sent, since, handed, failed, opted_out, before_since, handed_before,
           failed_before, opted_out_before)
left join next on next.account_id = u.account_id
where l.account_id = u.account_id
