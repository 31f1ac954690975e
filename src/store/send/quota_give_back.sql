with back as (
  select account_id, campaign_id, day, count(*)::int as n
  from unnest($1::int[], $2::int[], $3::date[]) as u (account_id, campaign_id, day) group by 1, 2, 3),
lanes as (
  update lane l set taken = l.taken - u.n
  from (select account_id, day, sum(n)::int as n from back group by 1, 2) u
  where l.account_id = u.account_id and l.taken_on = u.day)
update run r set taken = r.taken - u.n from back u
where r.account_id = u.account_id and r.campaign_id = u.campaign_id and r.taken_on = u.day
