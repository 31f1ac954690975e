with news as (
  insert into provider_stop as s (channel, kind, name, language, said_at, is_stopped, has_end, until, detail)
  select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::boolean[],
                       $7::boolean[], $8::timestamptz[], $9::jsonb[])
  order by 1, 2, 3, 4, 7
  on conflict (channel, kind, name, language, has_end) do update
    set said_at = excluded.said_at, is_stopped = excluded.is_stopped, until = excluded.until,
        detail = excluded.detail
    where (s.said_at, s.is_stopped) < (excluded.said_at, excluded.is_stopped)
  returning channel, kind, name, language, is_stopped)
update run r set fault_revision_id = null
from news n join unnest($10::text[], $11::int[]) as u (template, campaign_id) on u.template = n.name
where n.kind = 'template' and not n.is_stopped and r.campaign_id = u.campaign_id and r.fault_channel = n.channel
  and r.fault_revision_id is not null and r.finished_at is null
  and (r.fault_template is null or (r.fault_template = n.name and n.language in ('', r.fault_language)))
