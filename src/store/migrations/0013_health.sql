-- How an account fares, counted under the lock of its lane: hand-overs and failures in the half window that runs and in the
-- one before. And how long its number must wait that was too fast.
alter table lane
    add tally_since timestamptz,
    add handed integer not null default 0,
    add failed integer not null default 0,
    add handed_before integer not null default 0,
    add failed_before integer not null default 0,
    add throttled_until timestamptz,
    add throttles integer not null default 0;

-- Why nothing leaves for an account. Null: until a person lifts it.
create table account_halt (
    account_id integer primary key references account,
    reason     text not null check (reason in ('failure-rate', 'channel-unhealthy')),
    message    text not null,
    halted_at  timestamptz not null,
    until      timestamptz,
    -- How often in a row.
    times      integer not null
);

-- Why nothing leaves by a channel, whoever sends.
create table channel_halt (
    channel   text primary key,
    message   text not null,
    halted_at timestamptz not null,
    until     timestamptz not null,
    times     integer not null
);
