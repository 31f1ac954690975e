with done as (
    update referral r set
        name = c.name, phone = c.phone, dialled = c.dialled, country = c.country, registered_at = c.registered_at, email = c.email,
        language = c.language, gender = c.gender, profession = c.profession, profession_key = c.profession_key,
        birth_date = c.birth_date, paid_at = c.paid_at, consent = c.consent, consent_source = c.consent_source,
        consent_at = c.consent_at, timezone = c.timezone, attributes = c.attributes, as_of = c.as_of
    from changed c where r.account_id = c.account_id and r.id = c.id returning r.account_id
)
select account_id, count(*) from done group by account_id
