-- What providers tell of accounts, numbers and templates stands in the log.
alter table event
    drop constraint event_kind_check,
    add constraint event_kind_check
        check (kind in ('run-created', 'run-phase', 'override-set', 'override-cleared', 'override-expired',
                        'revision-applied', 'plan-refused', 'plan-approved', 'manifest-frozen', 'manifest-thawed',
                        'import', 'notification-given-up', 'suppressed', 'unsuppressed', 'message-resolved',
                        'near-opt-out', 'hold-released', 'contact-forgotten', 'provider-notice'));
