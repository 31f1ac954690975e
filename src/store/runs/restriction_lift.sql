with lifted as (update provider_stop s set is_stopped = false, until = null
where s.is_stopped and (
  s.channel = $1
  or (s.kind = 'number' and (s.name = $2 or exists (
        select from sender n where (n.channel, n.number, n.digits) = (s.channel, $2, s.name))))
  or (s.kind = 'template' and s.channel = coalesce($5, s.channel) and exists (
        select from unnest($3::text[], $4::text[]) as u (name, language)
        where u.name = s.name and s.language in ('', u.language))))
returning s.channel, s.kind, s.name, s.language, s.detail)
select detail from lifted order by channel, kind, name, language
