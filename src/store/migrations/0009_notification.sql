-- Who is told of what happens, and how far the log was read for each: what was visible then is done with.
create table notifier (
    name   text primary key,
    cursor pg_snapshot not null
);

-- What is to be told. One row stands for everything that happened alike while it counts.
create table notification (
    id           bigint generated always as identity primary key,
    -- By which receivers tell that they have it already.
    uid          text not null default gen_random_uuid()::text,
    notifier     text not null references notifier on delete cascade,
    topic        text not null,
    -- What is alike: it is told once within a while.
    fold_key     text not null,
    campaign     text,
    -- One of those concerned.
    account      text,
    -- All of them, until it is tried: from then on nothing more is counted.
    account_ids  integer[] not null,
    accounts     bigint not null,
    events       bigint not null,
    -- How many of these waited because the same had just been told.
    folded       bigint not null,
    actor        text,
    reason       text,
    sentence     text not null,
    revision_id  integer,
    first_at     timestamptz not null,
    last_at      timestamptz not null,
    -- Yet to come for what waits.
    created_at   timestamptz not null,
    attempts     integer not null default 0,
    -- When to try next; whoever tries puts it off first, so that nobody else does. Null: delivered or given up.
    due_at       timestamptz,
    delivered_at timestamptz,
    error        text,
    check (due_at is null or delivered_at is null)
);
create index notification_alike on notification (notifier, fold_key, id);
create index notification_untried on notification (notifier, id) where attempts = 0;
create index notification_due on notification (notifier, due_at) where due_at is not null;
