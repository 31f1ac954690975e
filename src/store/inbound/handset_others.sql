with own as (
    select u.phone, a.id, bool_and(a.is_left) as is_left
    from unnest($1::text[]) as u (phone) join alias a on a.phone = u.phone
    group by u.phone, a.id
    union all
    select u.phone, u.id, false from unnest($3::text[], $4::text[]) as u (phone, id)
    where not exists (select from alias a where a.phone = u.phone and a.id = u.id)
)
select own.phone, own.id, own.is_left, a.phone as other, coalesce(a.is_left, false) as other_is_left
from own left join lateral (select phone, is_left from alias where id = own.id order by phone limit $2) a on true
