-- Whose reply may mean that they want no more messages: from the account that heard it nothing goes out to them until
-- somebody has read it.
create table person_hold (
    account_id integer not null,
    phone      text not null,
    text       text not null,
    held_at    timestamptz not null,
    primary key (account_id, phone)
);
create index person_hold_phone on person_hold (phone);

alter table event
    drop constraint event_kind_check,
    add check (kind in ('run-created', 'run-phase', 'override-set', 'override-cleared', 'override-expired',
                        'revision-applied', 'plan-refused', 'plan-approved', 'manifest-frozen', 'manifest-thawed',
                        'import', 'notification-given-up', 'suppressed', 'unsuppressed', 'message-resolved',
                        'near-opt-out', 'hold-released'));
