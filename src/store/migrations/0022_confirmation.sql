-- People who said STOP and are told so, once. A row goes when it is known what became of the message.
create table confirmation (
    id         bigint generated always as identity primary key,
    account_id integer not null,
    phone      text not null,
    -- By which it was heard, and the number they wrote to.
    channel    text not null,
    sender     text,
    language   text,
    heard_at   timestamptz not null,
    -- Null: it is being handed over, or nobody knows whether it was: then it is not tried again.
    due_at     timestamptz,
    attempts   integer not null default 0
);
create index confirmation_due on confirmation (due_at) where due_at is not null;
