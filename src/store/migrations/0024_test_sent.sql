-- A test of a day that somebody had sent to a phone of theirs stands in the log, and nowhere else.
alter table event
    drop constraint event_kind_check,
    add constraint event_kind_check
        check (kind in ('run-created', 'run-phase', 'override-set', 'override-cleared', 'override-expired',
                        'revision-applied', 'plan-refused', 'plan-approved', 'manifest-frozen', 'manifest-thawed',
                        'import', 'notification-given-up', 'suppressed', 'unsuppressed', 'message-resolved',
                        'near-opt-out', 'hold-released', 'contact-forgotten', 'provider-notice', 'opt-out-rate',
                        'test-sent'));
