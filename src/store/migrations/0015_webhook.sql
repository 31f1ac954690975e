-- What providers post to us: written down first, processed after.
create table webhook (
    id           bigint generated always as identity primary key,
    channel      text not null,
    received_at  timestamptz not null,
    body         bytea not null,
    attempts     integer not null default 0,
    -- When to process it; whoever does puts it off first, so that nobody else does. Null: processed or given up.
    due_at       timestamptz,
    processed_at timestamptz,
    -- Why it could not be processed, or what in it could not be read.
    error        text,
    check (due_at is null or processed_at is null)
);
create index webhook_due on webhook (due_at, id) where due_at is not null;
create index webhook_processed on webhook (processed_at) where processed_at is not null;

-- Our messages as the provider calls them, learnt from what it says of them, so that answers find what they answer.
create table provider_message (
    provider_id text primary key,
    account_id  integer not null,
    campaign_id integer not null,
    referral_id bigint not null,
    day         smallint not null
);

-- People as the provider calls them where that is not their phone as we know it: user ids, and numbers that it writes
-- otherwise.
create table alias (
    id    text primary key,
    phone text not null
);

-- What was heard already: it is told again for days.
create table inbound (
    message_id  text primary key,
    phone       text,
    -- When it was said, by the provider's clock.
    at          timestamptz not null,
    -- Of what asks for no more messages, or for messages again.
    word        text check (word in ('stop', 'start')),
    received_at timestamptz not null
);
create index inbound_word on inbound (phone, at) where word is not null;
create index inbound_received on inbound (received_at);

-- When somebody last wrote to an account: for a day from then on it may answer in words of its own.
create table conversation (
    account_id      integer not null,
    phone           text not null,
    last_inbound_at timestamptz not null,
    primary key (account_id, phone)
);
