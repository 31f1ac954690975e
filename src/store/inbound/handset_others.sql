with own as (
    select u.phone, a.id from unnest($1::text[]) as u (phone) join alias a on a.phone = u.phone
    union
    select u.phone, ltrim(u.phone, '+') from unnest($1::text[]) as u (phone)
)
select own.phone, own.id, a.phone as other
from own left join lateral (select phone from alias where id = own.id order by phone limit $2) a on true
