select u.id, u.phone
from unnest($1::text[], $2::text[]) as u (id, phone)
where (not exists (select from alias a where (a.id, a.phone) = (u.id, u.phone))
       and (select count(*) from (select from alias a where a.id = u.id limit $3) known) < $3)
   or (select bool_or(p.is_suppressed) and not bool_and(p.is_suppressed)
       from (select exists (select from suppression s where s.phone = h.phone) as is_suppressed
             from ((select a.phone from alias a where a.id = u.id limit $3)
                   union all select '+' || u.id where u.id ~ '^[0-9]+$') h) p)
