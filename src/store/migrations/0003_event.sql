-- What happened to runs, in order; rows are only ever added. The history of people is not written twice: it is read off
-- referrals, targets and messages.
create table event (
    account_id   integer not null,
    id           bigint generated always as identity,
    campaign_id  integer not null,
    at           timestamptz not null,
    kind         text not null check (kind in ('run-created', 'run-phase')),
    phase_before text,
    phase_after  text not null,
    reason       text not null,
    message      text not null,
    -- The one by which the run went.
    revision_id  integer not null,
    primary key (account_id, id),
    check ((kind = 'run-created') = (phase_before is null))
);

-- When the message was due when it was first claimed: how long it then waited is `queued_at - due_at`. Null: claimed
-- before there was this column.
alter table message add due_at timestamptz;
