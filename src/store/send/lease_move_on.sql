with moved as (
  update target t
  set failed_days = 0, state = case when t.due_at is null and t.day = k.day then 'completed' else 'active' end,
      ended_at = case when t.due_at is null and t.day = k.day then $5 end
  from (select account_id, campaign_id, referral_id, max(day) as day
        from unnest($1::int[], $2::int[], $3::bigint[], $4::smallint[])
             as u (account_id, campaign_id, referral_id, day) group by 1, 2, 3) k
  where (t.account_id, t.campaign_id, t.referral_id) = (k.account_id, k.campaign_id, k.referral_id)
    and t.state = 'active' and (t.failed_days > 0 or (t.due_at is null and t.day = k.day))
  returning t.account_id, t.campaign_id)
update run r set check_at = $5 from (select distinct * from moved) moved
where r.account_id = moved.account_id and r.campaign_id = moved.campaign_id
