with halted as (
  insert into account_halt (account_id, reason, detail, halted_at, until, times)
  select account_id, reason, detail, $6, until, times
  from unnest($1::int[], $2::text[], $3::jsonb[], $4::timestamptz[], $5::int[])
       as u (account_id, reason, detail, until, times)
  on conflict (account_id) do update
    set reason = excluded.reason, detail = excluded.detail, halted_at = excluded.halted_at,
        until = excluded.until, times = excluded.times
    where account_halt.until is not null
  returning account_id)
update run r set check_at = least(r.check_at, $6) from halted h
where r.account_id = h.account_id and r.phase = 'active'
