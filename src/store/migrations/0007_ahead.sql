-- Whether a run that has not begun would be done before the subscription of its account ends.
alter table run
    -- When that was last worked out.
    add column foreseen_at timestamptz,
    -- When it would end, as of then; null when never.
    add column foreseen_end timestamptz,
    -- Since when it waits to be worked out.
    add column ahead_at timestamptz;
create index run_ahead_at on run (ahead_at) where ahead_at is not null;
