with known as (
    select s.line, r.account_id, r.phone,
        s.account_id is null or s.phone is null or s.account_id = r.account_id or s.phone = r.phone
            or exists (select from handset h where (h.phone, h.other) = (s.phone, r.phone)) as sure
    from signal s join referral r on r.external_id = s.external_id
), named as (
    select line, account_id, phone, sure from known
    union
    select s.line, s.account_id, s.phone, true from signal s
    where s.phone is not null and not exists (select from known k where k.line = s.line and k.sure)
), spoken as (
    select line, account_id, phone, sure from named
    union
    select n.line, n.account_id, h.other, n.sure from named n join handset h on h.phone = n.phone
)
insert into concerned (line, account_id, id, phone, sure)
select line, account_id, id, phone, bool_and(sure and (stated or alone))
from (
    select h.line, r.account_id, r.id, r.phone, h.sure, h.account_id is not null as stated,
        min(r.account_id) over lines = max(r.account_id) over lines
            and not exists (select from signal s where s.line = h.line and s.external_id is not null) as alone
    from spoken h
    join referral r on r.phone = h.phone and (h.account_id is null or r.account_id = h.account_id)
    where r.erased_at is null
    window lines as (partition by h.line, h.account_id is null)
) reached
group by line, account_id, id, phone
