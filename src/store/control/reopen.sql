update run
set phase = $3, reason = $4, detail = $5, revision_id = $6, check_at = $7,
    started_at = null, finished_at = null, fault_revision_id = null,
    passes = 0, last_pass_found = null, busy = false, enroll_at = null,
    ahead_at = null, foreseen_at = null, foreseen_end = null
where campaign_id = $1 and account_id = any($2) and phase = 'completed'
returning account_id
