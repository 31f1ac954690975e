with ranked as (
    select line, external_id, row_number() over (partition by external_id order by as_of desc, line desc) as place,
        row(name, phone, email, language, country, timezone, subscription_plan, subscription_ends_at,
            whatsapp_status, attributes)::text as content
    from staged
), gone as (
    delete from staged using ranked where staged.line = ranked.line and ranked.place > 1 returning staged.line
)
select count(*), count(*) filter (where loser.content = winner.content)
from gone join ranked loser on loser.line = gone.line
join ranked winner on winner.external_id = loser.external_id and winner.place = 1
