with due as (
  select account_id, min(check_at) as since
  from (select account_id, check_at from run where check_at <= $1 order by check_at limit $2) r
  group by account_id),
counted as (
  select account_id, sum(runs) over (order by since, account_id) - runs as before
  from due cross join lateral (
    select count(*) as runs
    from (select from run r where r.account_id = due.account_id and r.check_at <= $1 limit $2) r) n)
select account_id from lane where account_id in (select account_id from counted where before < $2)
order by account_id for update skip locked
