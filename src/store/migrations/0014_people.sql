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

-- People who were erased, by a keyed hash of their phone: so that no import brings them back, and nobody who has only this
-- table can tell who they were.
create table forgotten (
    hash         bytea primary key,
    actor        text,
    reason       text not null,
    forgotten_at timestamptz not null
);
-- Made once, when the first is forgotten.
create table forgotten_key (
    only_row boolean primary key default true check (only_row),
    key      bytea not null
);
-- What is left of them: whose they were, in which runs, and how much they got.
alter table referral add column forgotten_at timestamptz;
create index referral_forgotten on referral (external_id) where forgotten_at is not null;

alter table event
    drop constraint event_kind_check,
    add check (kind in ('run-created', 'run-phase', 'override-set', 'override-cleared', 'override-expired',
                        'revision-applied', 'plan-refused', 'plan-approved', 'manifest-frozen', 'manifest-thawed',
                        'import', 'notification-given-up', 'suppressed', 'unsuppressed', 'message-resolved',
                        'near-opt-out', 'hold-released', 'contact-forgotten', 'provider-notice'));
