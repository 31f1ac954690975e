update staged s set
    consent = coalesce(o.consent, s.consent),
    consent_source = case when o.consent is null then s.consent_source else o.consent_source end,
    consent_at = case when o.consent is null then s.consent_at else o.consent_at end,
    paid_at = coalesce(s.paid_at, p.paid_at),
    says = s.says | case when o.consent is null then 0 else 64 + 128 + 256 end
                  | case when p.paid_at is null then 0 else 32 end
from contender w
left join referral r on r.external_id = w.external_id
left join lateral (
    select l.consent, l.consent_source, l.consent_at from contender l
    where l.external_id = w.external_id and l.consent = 'opted_out' and (r.id is null or l.as_of >= r.as_of)
    order by l.place desc limit 1) o on true
left join lateral (
    select l.paid_at, l.as_of from contender l
    where l.external_id = w.external_id and l.paid_at is not null and (r.id is null or l.as_of >= r.as_of)
    order by l.place limit 1) p on true
where w.place = 1 and s.line = w.line
  and (o.consent is not null or p.paid_at is not null and not (s.own_age and s.as_of > p.as_of))
