-- Not only what happened to runs, but everything that teams and operators decide. Who reads on after something that was
-- read before asks for what was not visible then: numbers are given before transactions end, and these end in any order.
alter table event rename column phase_before to before;
alter table event rename column phase_after to after;
alter table event
    alter column campaign_id drop not null,
    alter column after drop not null,
    alter column reason drop not null,
    alter column revision_id drop not null,
    -- Null: nobody in particular.
    add column actor text,
    -- The transaction that wrote it.
    add column xid xid8 not null default pg_current_xact_id(),
    drop constraint event_kind_check,
    drop constraint event_check,
    add check (kind in ('run-created', 'run-phase', 'override-set', 'override-cleared', 'override-expired',
                        'revision-applied', 'plan-refused', 'plan-approved', 'manifest-frozen', 'manifest-thawed',
                        'import', 'notification-given-up')),
    -- Account 0 stands for all of them, as numbers begin at 1; a null campaign for all or none.
    add check (kind not in ('run-created', 'run-phase')
               or (account_id > 0 and campaign_id is not null and after is not null and reason is not null
                   and revision_id is not null and (kind = 'run-created') = (before is null)));
create index event_at on event (at, id);
create index event_xid on event (xid);

-- Who carried it out: a person, or a daemon. Null: before there was this column.
alter table revision add column applied_by text, add column plan_digest text;

-- Whether the log tells that its time is over.
alter table override add column is_over boolean not null default false;
create index override_until on override (until) where not is_over;

-- Manifests that do not take effect as they stand in the files, so that a daemon that comes back tells nothing twice.
create table frozen_manifest (
    kind      text not null,
    name      text not null,
    why       text not null,
    frozen_at timestamptz not null,
    primary key (kind, name)
);
