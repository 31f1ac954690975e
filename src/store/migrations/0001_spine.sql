-- Facts: imported, never edited by us. Every table that grows has account_id first in its key.

create table account (
    id                   integer generated always as identity primary key,
    external_id          text not null unique,
    name                 text not null,
    phone                text,
    email                text,
    language             text,
    country              text,
    timezone             text not null,
    subscription_plan    text,
    subscription_ends_at timestamptz,
    -- Null: the export does not say; then the account counts as connected.
    whatsapp_status      text check (whatsapp_status in ('connected', 'disconnected', 'expired')),
    attributes           jsonb not null default '{}',
    -- The age of what the row says: its `updated_at` column, else the moment of its import.
    as_of                timestamptz not null
);

create table referral (
    -- No foreign key: accounts are never deleted, an import resolves them in its own transaction, and looking each
    -- of a million rows up once more takes as long as writing it.
    account_id     integer not null,
    id             bigint generated always as identity,
    external_id    text not null,
    name           text not null,
    phone          text not null,
    email          text,
    language       text,
    country        text not null,
    gender         text check (gender in ('male', 'female', 'other')),
    profession     text,
    -- domain::fold of the profession: what filters compare.
    profession_key text,
    birth_date     date,
    registered_at  timestamptz not null,
    paid_at        timestamptz,
    -- Null: unknown.
    consent        text check (consent in ('opted_in', 'opted_out')),
    consent_source text,
    consent_at     timestamptz,
    attributes     jsonb not null default '{}',
    as_of          timestamptz not null,
    -- Two rows of one account with one phone are one person; the newest registration speaks for them.
    is_current     boolean not null,
    primary key (account_id, id)
);
create unique index referral_external_id on referral (external_id);
-- At most one current row per person: with the key of `target` this makes enrolling a phone twice impossible.
create unique index referral_person on referral (account_id, phone) where is_current;
create index referral_phone on referral (phone);
-- The few other rows of a person: every import looks through them for what is left to settle.
create index referral_echo on referral (account_id, phone) where not is_current;

-- Phones that asked not to be written to, whatever any import says later.
create table suppression (
    phone         text primary key,
    reason        text not null,
    suppressed_at timestamptz not null
);

-- Desired: the manifests as last applied, resolved, one row an object.

create table revision (
    id          integer generated always as identity primary key,
    digest      text not null,
    "commit"    text,
    author      text,
    accepted_at timestamptz not null,
    plan        jsonb not null
);

create table manifest (
    kind        text not null,
    name        text not null,
    body        jsonb not null,
    revision_id integer not null references revision,
    primary key (kind, name)
);

-- Actual: campaigns that ever ran, their runs, targets and messages.

create table campaign (
    id         integer generated always as identity primary key,
    name       text not null,
    -- Set when the manifest is gone; the name may then be used again by another campaign.
    removed_at timestamptz
);
create unique index campaign_name on campaign (name) where removed_at is null;

-- One campaign for one account. Counters are not kept here: they are counted from targets and messages.
create table run (
    account_id      integer not null references account,
    campaign_id     integer not null references campaign,
    phase           text not null check (phase in ('draft', 'scheduled', 'active', 'paused', 'completed', 'cancelled')),
    reason          text not null,
    message         text not null,
    created_at      timestamptz not null,
    started_at      timestamptz,
    finished_at     timestamptz,
    revision_id     integer not null references revision,
    -- The revision in which a message could not be rendered; the next one lifts the pause.
    fault_revision_id integer,
    -- The campaign's daily cap: messages claimed on that local day.
    taken_on        date,
    taken           integer not null default 0 check (taken >= 0),
    -- Enrollment: passes made, what the last one found, people taken on that local day.
    passes          integer not null default 0,
    last_pass_found integer,
    enrolled_on     date,
    enrolled        integer not null default 0,
    -- When enrollment and the lifecycle next look at this run; null: when something happens to it.
    enroll_at       timestamptz,
    check_at        timestamptz,
    primary key (account_id, campaign_id),
    check ((phase in ('completed', 'cancelled')) = (finished_at is not null))
) with (fillfactor = 80);
create index run_campaign on run (campaign_id);
create index run_enroll_at on run (enroll_at) where enroll_at is not null and phase = 'active';
create index run_check_at on run (check_at) where check_at is not null;

-- The sending side of an account: its daily cap, its pace, and when it is next worth a look.
create table lane (
    account_id   integer primary key references account,
    wake_at      timestamptz,
    taken_on     date,
    taken        integer not null default 0 check (taken >= 0),
    next_slot_at timestamptz,
    wave         integer not null default 0,
    wave_sent    integer not null default 0
) with (fillfactor = 50);
create index lane_wake_at on lane (wake_at) where wake_at is not null;

create table target (
    account_id  integer not null,
    campaign_id integer not null,
    referral_id bigint not null,
    state       text not null check (state in ('active', 'completed', 'exited')),
    exit_reason text check (exit_reason in ('paid', 'opted-out', 'cancelled', 'undeliverable', 'failed', 'removed', 'expired')),
    -- The day that goes out next, or the last one that did.
    day         smallint not null check (day >= 1),
    -- Failed days in a row.
    failed_days smallint not null default 0,
    -- Null: ended, or the last message waits for its outcome.
    due_at      timestamptz,
    enrolled_at timestamptz not null,
    revision_id integer not null,
    ended_at    timestamptz,
    primary key (account_id, campaign_id, referral_id),
    check ((state = 'exited') = (exit_reason is not null)),
    check ((state = 'active') = (ended_at is null)),
    check (state = 'active' or due_at is null)
) with (fillfactor = 80);
create index target_due on target (account_id, campaign_id, due_at) where state = 'active';

-- What one target gets on one day: at most one row for ever.
create table message (
    account_id   integer not null,
    referral_id  bigint not null,
    campaign_id  integer not null,
    day          smallint not null,
    state        text not null check (state in ('queued', 'sending', 'sent', 'delivered', 'read', 'failed', 'uncertain')),
    -- Hand-overs begun, this one included.
    attempts     smallint not null check (attempts >= 1),
    -- The account's local day whose quota this message took; null: given back, nothing left the house.
    counts_on    date,
    phone        text not null,
    language     text not null,
    text         text not null,
    revision_id  integer not null,
    queued_at    timestamptz not null,
    sent_at      timestamptz,
    delivered_at timestamptz,
    read_at      timestamptz,
    provider_id  text,
    error        text,
    -- The person first: "did they get anything today, in any campaign" is one prefix scan.
    primary key (account_id, referral_id, campaign_id, day),
    check ((state in ('sent', 'delivered', 'read')) <= (sent_at is not null))
) with (fillfactor = 50);

-- One claimed batch on its way to the channel. It is gone once every outcome is saved; one that is left
-- behind by a crash names the messages whose fate nobody knows.
create table lease (
    id           bigint generated always as identity primary key,
    until        timestamptz not null,
    account_ids  integer[] not null,
    campaign_ids integer[] not null,
    referral_ids bigint[] not null,
    days         smallint[] not null
);

-- What the sandbox channel was handed, in order. It never refuses a double: it is there to show one.
create table sandbox_message (
    id          bigint generated always as identity primary key,
    account_id  integer not null,
    campaign_id integer not null,
    referral_id bigint not null,
    day         smallint not null,
    phone       text not null,
    text        text not null,
    received_at timestamptz not null
);

-- One row: the time by which everybody who uses this database lives. Real by default; for demos and tests a
-- clock that starts at `shown` when the real one says `real`, and runs `speed` times as fast.
create table clock (
    only_row boolean primary key default true check (only_row),
    real     timestamptz not null,
    shown    timestamptz not null,
    speed    double precision not null check (speed >= 0)
);

-- Bumped by whoever changes the desired state, or facts, so that others notice with one cheap read. Two tables, so that
-- an import and an edit never wait for each other.
create table generation (
    only_row boolean primary key default true check (only_row),
    desired  bigint not null default 0
);
insert into generation default values;
create table facts_generation (
    only_row boolean primary key default true check (only_row),
    facts    bigint not null default 0
);
insert into facts_generation default values;
