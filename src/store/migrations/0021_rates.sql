-- When the half window before the one that runs began: failures are told of messages that were handed over in either. And how
-- many people asked for no more messages, or blocked.
alter table lane
    add tally_before_since timestamptz,
    add opted_out integer not null default 0,
    add opted_out_before integer not null default 0;

alter table account_halt
    drop constraint account_halt_reason_check,
    add check (reason in ('failure-rate', 'opt-out-rate', 'channel-unhealthy'));

alter table event
    drop constraint event_kind_check,
    add constraint event_kind_check
        check (kind in ('run-created', 'run-phase', 'override-set', 'override-cleared', 'override-expired',
                        'revision-applied', 'plan-refused', 'plan-approved', 'manifest-frozen', 'manifest-thawed',
                        'import', 'notification-given-up', 'suppressed', 'unsuppressed', 'message-resolved',
                        'near-opt-out', 'hold-released', 'contact-forgotten', 'provider-notice', 'opt-out-rate'));
