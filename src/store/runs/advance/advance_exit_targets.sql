with gone as (
  update target t set state = 'exited', exit_reason = u.exit, due_at = null, ended_at = $4
  from unnest($1::int[], $2::int[], $3::text[]) as u (account_id, campaign_id, exit)
  where t.account_id = u.account_id and t.campaign_id = u.campaign_id and t.state = 'active'
  returning t.account_id, t.referral_id, t.campaign_id)
update message m set state = 'failed', error = coalesce(m.error || '; ', '') || 'the person left'
from gone g
where (m.account_id, m.referral_id, m.campaign_id) = (g.account_id, g.referral_id, g.campaign_id)
  and m.state = 'queued'
