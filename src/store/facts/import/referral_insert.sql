with done as (
    insert into referral (account_id, external_id, name, phone, dialled, email, language, country, gender, profession,
        profession_key, birth_date, registered_at, paid_at, consent, consent_source, consent_at, timezone,
        attributes, as_of,
        is_current)
    select account_id, external_id, name, phone, dialled, email, language, country, gender, profession,
        profession_key, birth_date, registered_at, paid_at, consent, consent_source, consent_at, timezone,
        jsonb_strip_nulls(coalesce(attributes, '{}')), as_of,
        not exists (select from duplicate t where t.account_id = s.account_id and t.phone = s.phone)
    from staged s where not exists (select from referral r where r.external_id = s.external_id)
    order by line
    returning account_id
)
select account_id, count(*) from done group by account_id
