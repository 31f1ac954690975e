-- Which daemon reconciles. The lease ends by real time, whatever the clock of this database shows. The token grows
-- whenever another takes it and never goes back: a plan is carried out only under the token that is here.
create table reconciler (
    only_row boolean primary key default true check (only_row),
    token    bigint not null default 0,
    -- Null: nobody has it.
    host     text,
    pid      integer,
    until    timestamptz,
    check ((host is null) = (until is null) and (pid is null) = (until is null))
);
insert into reconciler default values;

-- Under which token a daemon applied it. Null: a person did, or there was none yet.
alter table revision add token bigint;
