select r.account_id, r.campaign_id, r.phase, r.reason, r.detail, r.started_at, a.timezone, r.passes,
       r.last_pass_found, r.busy, coalesce(r.enroll_at <= $2, false) as pass_due, a.external_id, a.attributes as labels,
       a.subscription_ends_at, r.foreseen_at, r.foreseen_end, coalesce(a.whatsapp_status, 'connected') = 'connected' as connected,
       coalesce(r.fault_revision_id = r.revision_id, false) as faulty,
       c.removed_at is not null as removed,
       h.reason as halt_reason, h.detail as halt_detail, h.until as halted_until,
       exists (select from target t where t.account_id = r.account_id and t.campaign_id = r.campaign_id
                                      and t.state = 'active') as active,
       exists (select from target t where t.account_id = r.account_id and t.campaign_id = r.campaign_id) as enrolled,
       case when r.campaign_id = any($3) then (
         select count(*) from target t
         where t.account_id = r.account_id and t.campaign_id = r.campaign_id) else 0 end as taken
from run r join account a on a.id = r.account_id join campaign c on c.id = r.campaign_id
left join account_halt h on h.account_id = r.account_id and (h.until is null or h.until > $2)
where r.account_id = any($1) and r.check_at <= $2
