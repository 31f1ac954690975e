with old as (delete from confirmation where heard_at <= $3),
due as (
  select id from confirmation where due_at <= $1 and heard_at > $3 order by due_at limit $2
  for update skip locked),
claimed as (
  update confirmation c set due_at = null, attempts = c.attempts + 1 from due where c.id = due.id returning c.*)
select c.id, c.account_id, c.phone, c.channel, c.sender, c.language, c.attempts, a.external_id,
       a.attributes as labels
from claimed c join account a on a.id = c.account_id order by c.id
