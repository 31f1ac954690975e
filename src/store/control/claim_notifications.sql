with due as (
  select d.id from notifier n cross join lateral (
    select id from notification where notifier = n.name and due_at <= $1
    order by due_at, id limit $3 for update skip locked) d)
update notification o set attempts = o.attempts + 1, due_at = $2, account_ids = '{}'
from due d, manifest m
where o.id = d.id and m.kind = 'Notifier' and m.name = o.notifier
returning o.id, o.uid, o.notifier, to_jsonb(o.topic) as topic, o.campaign, o.account, o.accounts, o.events,
          o.folded, o.actor, o.reason, o.detail, o.revision_id as revision, o.first_at, o.last_at,
          o.attempts, o.created_at, m.body as spec
