-- By whose word somebody is not written to, and what was said.
alter table suppression rename column reason to source;
alter table suppression
    -- The operator.
    add column actor text,
    -- In the operator's words.
    add column reason text,
    -- What the person wrote.
    add column said text;
update suppression set reason = source, source = 'operator' where source not in ('reply', 'import');
alter table suppression add check (source in ('reply', 'operator', 'import', 'channel'));

alter table event
    drop constraint event_kind_check,
    add check (kind in ('run-created', 'run-phase', 'override-set', 'override-cleared', 'override-expired',
                        'revision-applied', 'plan-refused', 'plan-approved', 'manifest-frozen', 'manifest-thawed',
                        'import', 'notification-given-up', 'suppressed', 'unsuppressed',
                        'message-resolved'));
