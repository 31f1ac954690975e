-- The schema of relance, grouped by what it holds:
--   1 facts            accounts and their referrals, as exports tell them
--   2 consent          phones that must not be written to, people who were erased
--   3 desired          revisions of the manifests, and the plans that wait for a person
--   4 runs             campaigns, runs, and the overrides of operators
--   5 sending          lanes, targets, messages, leases, the sandbox
--   6 restrictions     reasons why an account or a channel sends nothing
--   7 inbound          webhooks, replies, and the provider's names for messages and people
--   8 log              events and the notifications made of them
--   9 control          the reconciler's lease, generations, the clock, the id of the installation
--  10 access           tokens of the API, and the answers to requests that carry a key
--
-- Rules of the whole schema:
--   - Tables that grow carry account_id first in their keys, so that every hot query touches one shard.
--   - Tables of people, messages and events have no foreign keys: the rows that they name are never deleted, and a
--     look-up for each of a million rows takes as long as the write itself.
--   - CHECK constraints mirror the state machines of the lifecycle. The program decides; the constraints catch its bugs.
--   - Instants are bound by the program, which takes them from `clock`; only the reconciler's lease runs by real time.
--   - A `detail` explains a phase, a restriction or an event: JSON with a `code` and its parameters (`Detail` in
--     src/core/lifecycle/detail). Sentences are made where they are shown, and never compared.
--   - Days (`taken_on`, `quota_date`, `enrolled_on`) are local days of the account.
--   - Account 0 stands for all accounts where a key needs a number: real numbers begin at 1.

-- A detail. A broken or unknown code stops nothing, but every detail is an object.
create domain explained as jsonb check (jsonb_typeof(value) = 'object');

-- 1 -- Facts ----------------------------------------------------------------------------------------------------------
-- Imports and events write them. relance itself edits them only to erase a person.

-- A member who owns referrals and sends to them.
create table account (
    id                   integer generated always as identity primary key,
    -- The id in the export. Manifests and commands name the account by it.
    external_id          text not null unique,
    name                 text not null,
    phone                text,
    email                text,
    language             text,
    country              text,
    timezone             text not null,
    subscription_plan    text,
    subscription_ends_at timestamptz,
    -- Null: the export does not say, and the account counts as connected.
    whatsapp_status      text check (whatsapp_status in ('connected', 'disconnected', 'expired')),
    -- Extra columns of the export. Label selectors match them.
    attributes           jsonb not null default '{}',
    -- The age of the row: its `updated_at` column, else the moment of its import. An older export changes nothing.
    as_of                timestamptz not null,
    -- A single event is younger than its row. Its own age protects the fact from an older export. Null: no event came.
    subscription_as_of   timestamptz,
    whatsapp_as_of       timestamptz
);

-- A person whom an account brought in.
create table referral (
    account_id     integer not null,
    id             bigint generated always as identity,
    external_id    text not null,
    name           text not null,
    -- In normal form: one spelling for each handset.
    phone          text not null,
    -- The number to hand to a provider, as the export writes it. Null: the normal form.
    dialled        text,
    email          text,
    language       text,
    country        text not null,
    gender         text check (gender in ('male', 'female', 'other')),
    profession     text,
    -- The profession without case and accents. Filters compare it.
    profession_key text,
    birth_date     date,
    registered_at  timestamptz not null,
    paid_at        timestamptz,
    -- The age of `paid_at` when an event told it, as in `account`.
    paid_as_of     timestamptz,
    -- Null: unknown.
    consent        text check (consent in ('opted_in', 'opted_out')),
    consent_source text,
    consent_at     timestamptz,
    -- The person's own zone. `zone: recipient` in a schedule goes by it. Null: unknown.
    timezone       text,
    attributes     jsonb not null default '{}',
    as_of          timestamptz not null,
    -- Rows of one account with one phone are one person. The newest registration is current and stands for all of them.
    is_current     boolean not null,
    -- The person was erased. The row keeps only its account and registration, so that counts of past runs stay right.
    erased_at   timestamptz,
    primary key (account_id, id)
);
-- Imports and events find the row of an external id.
create unique index referral_external_id on referral (external_id);
-- A person has at most one current row. With the key of `target`, no phone can be enrolled twice in a run.
create unique index referral_person on referral (account_id, phone) where is_current;
-- Opt-outs, replies and `contact` find all rows of a phone, whatever the account.
create index referral_phone on referral (phone);
-- Every import looks through the few other rows of a person for one that has become the newest.
create index referral_echo on referral (account_id, phone) where not is_current;
-- Imports leave out the rows of erased people.
create index referral_erased on referral (external_id) where erased_at is not null;

-- The headers of exports that `import --map` has named, for the next file of the same kind.
create table import_column (
    facts       text not null check (facts in ('accounts', 'referrals')),
    -- The header without case and accents.
    header_key  text not null,
    header      text not null,
    -- A documented column, or `attributes.` and the name of an attribute.
    column_name text not null,
    mapped_at   timestamptz not null,
    primary key (facts, header_key)
);

-- The columns of exports that became attributes, so that a filter on a column that no import had is told.
create table imported_attribute (
    facts text not null check (facts in ('accounts', 'referrals')),
    name  text not null,
    primary key (facts, name)
);

-- 2 -- Consent --------------------------------------------------------------------------------------------------------

-- Phones that must not be written to, whatever an import says later.
create table suppression (
    phone         text primary key,
    -- `reply`: the person wrote STOP. `channel`: the provider reported that the person wants no messages.
    source        text not null check (source in ('reply', 'operator', 'import', 'channel')),
    suppressed_at timestamptz not null,
    -- The operator, and the reason in the operator's words.
    actor         text,
    reason        text,
    -- The words of the person.
    said          text,
    -- It is in force, and its other effects are still to come: targets that leave, counts, the confirmation.
    is_pending    boolean not null default false
);

-- STOPs that are in force before the locks of their other effects are free. A row goes with these effects. Nothing here
-- is unique, so that an insert never waits for another transaction.
create table pending_stop (
    id         bigint generated always as identity primary key,
    -- The inbound message. `listed`: an operator, a provider, or another number of the handset.
    message_id text not null,
    phone      text not null,
    -- By the provider's clock. Null: no message, and no START lifts it.
    at         timestamptz
);
-- The gate and enrollment look for a phone.
create index pending_stop_phone on pending_stop (phone);
-- The other effects of a message remove its rows.
create index pending_stop_message on pending_stop (message_id);

-- People whose reply may mean STOP. The account sends them nothing until somebody has read it.
create table person_hold (
    -- 0: nobody knows which account they meant, and all of them wait.
    account_id integer not null,
    phone      text not null,
    text       text not null,
    held_at    timestamptz not null,
    primary key (account_id, phone)
);
-- `suppress release` and `contact` find the holds of a phone.
create index person_hold_phone on person_hold (phone);

-- People who were erased. No import brings them back.
create table erasure (
    -- A keyed hash of the phone, or of the provider's name for the person. The table alone does not tell who they were.
    hash         bytea primary key,
    actor        text,
    reason       text not null,
    erased_at timestamptz not null
);

-- The key of these hashes, made when the first person is erased.
create table erasure_key (
    only_row boolean primary key default true check (only_row),
    key      bytea not null
);

-- 3 -- Desired state --------------------------------------------------------------------------------------------------

-- One accepted state of the files.
create table revision (
    id          integer generated always as identity primary key,
    -- The digest of the content: equal trees have equal digests.
    digest      text not null,
    -- Of the files, where they come from git.
    "commit"    text,
    author      text,
    -- The name of the source, and its repository if it is git. Only the source of the newest revision that has one may
    -- change the desired state. Null: no source was named.
    source      text,
    repository  text,
    -- The changes that this revision made, as `plan -o json` shows them.
    plan        jsonb not null,
    plan_digest text,
    accepted_at timestamptz not null,
    -- The person or daemon that applied it. An exported state leaves it out.
    applied_by  text,
    -- The fencing token of that daemon. Null: a person applied it.
    token       bigint,
    -- A repository has no meaning without the source that it identifies.
    check (repository is null or source is not null)
);

-- The manifests in force, resolved: one row for each object. Each is decoded on its own. One that cannot be used stays
-- as it is, and stops nothing but what needs it.
create table manifest (
    kind        text not null,
    name        text not null,
    -- The version of the form of `body`. A program reads only the version that it writes.
    format      integer not null,
    body        jsonb not null,
    -- The digest of the manifests that it was made from, as written. It tells if the files hold a newer version, even if
    -- `body` cannot be read.
    source      text not null,
    -- The revision that changed it last.
    revision_id integer not null references revision,
    primary key (kind, name)
);

-- Manifests whose last good version stays in force. They are stored so that a restarted daemon reports none twice.
create table frozen_manifest (
    kind      text not null,
    name      text not null,
    detail    explained not null,
    frozen_at timestamptz not null,
    primary key (kind, name)
);

-- Plans that look like an accident. An approved plan is applied once.
create table refused_plan (
    id              integer generated always as identity primary key,
    digest          text not null,
    -- The sentence that says why.
    refusal         text not null,
    changes         jsonb not null,
    refused_at      timestamptz not null,
    approved_at     timestamptz,
    approved_by     text,
    approval_reason text,
    -- The revision that it became. Null: it waits, and the next plan that waits replaces it.
    revision_id     integer references revision,
    -- An approval has an instant, a person and a reason, or none of the three.
    check ((approved_at is null) = (approved_by is null) and (approved_at is null) = (approval_reason is null))
);
-- `approve` and the next pass find the waiting plan by its digest. No digest waits twice.
create unique index refused_plan_waiting on refused_plan (digest) where revision_id is null;

-- 4 -- Runs -----------------------------------------------------------------------------------------------------------

-- Every campaign that ever was in force. History needs its number after the manifest is gone.
create table campaign (
    id         integer generated always as identity primary key,
    name       text not null,
    -- When the manifest was removed. Another campaign may then take the name.
    removed_at timestamptz
);
-- Every pass finds the campaigns in force by name. No two of them have the same.
create unique index campaign_name on campaign (name) where removed_at is null;

-- One campaign for one account, and where it stands. Progress is counted from targets and messages, not stored here.
create table run (
    account_id        integer not null references account,
    campaign_id       integer not null references campaign,
    phase             text not null check (phase in ('draft', 'scheduled', 'active', 'paused', 'completed', 'cancelled')),
    -- The code of the reason, and its explanation.
    reason            text not null,
    detail            explained not null,
    created_at        timestamptz not null,
    started_at        timestamptz,
    finished_at       timestamptz,
    revision_id       integer not null references revision,
    -- The daily cap of the campaign: `taken` messages were claimed on the local day `taken_on`.
    taken_on          date,
    taken             integer not null default 0 check (taken >= 0),
    -- Enrollment: complete passes so far, people found by the last one, people enrolled on the local day `enrolled_on`.
    passes            integer not null default 0,
    last_pass_found   integer,
    -- The last pass left out people who match, because they are active in another run.
    busy              boolean not null default false,
    enrolled_on       date,
    enrolled          integer not null default 0,
    -- When enrollment looks at this run next. Null: only an event makes it look.
    enroll_at         timestamptz,
    -- When the lifecycle looks at this run next. Null as above.
    check_at          timestamptz,
    -- The forecast for a run that has not begun: since when it is asked for, when it was made, and the end it gives.
    -- A null end of a made forecast: the run never ends.
    ahead_at          timestamptz,
    foreseen_at       timestamptz,
    foreseen_end      timestamptz,
    -- The revision whose message could not be rendered or whose template was refused. The next one lifts the pause.
    fault_revision_id integer,
    -- The channel that refused it, and the template. A template that the provider accepts again lifts the pause too.
    fault_channel     text,
    fault_template    text,
    fault_language    text,
    primary key (account_id, campaign_id),
    -- A run has an end exactly when its phase is final.
    check ((phase in ('completed', 'cancelled')) = (finished_at is not null))
) with (fillfactor = 80);
-- A plan, an override or an enrollment concerns all runs of one campaign.
create index run_campaign on run (campaign_id);
-- Enrollment finds the runs whose instant has come, and the daemon sleeps until the next one.
create index run_enroll_at on run (enroll_at) where enroll_at is not null and phase = 'active';
-- The lifecycle does the same.
create index run_check_at on run (check_at) where check_at is not null;
-- Forecasts are made in the order in which they were asked for.
create index run_ahead_at on run (ahead_at) where ahead_at is not null;

-- Orders of operators. They beat the manifests until somebody clears them or their time is over.
create table override (
    id          bigint generated always as identity primary key,
    -- Null: every account, or every campaign.
    account_id  integer references account,
    campaign_id integer references campaign,
    action      text not null check (action in ('pause', 'start', 'resume', 'cancel')),
    actor       text not null,
    reason      text not null,
    created_at  timestamptz not null,
    until       timestamptz,
    -- The log already tells that its time is over.
    is_over     boolean not null default false,
    -- No order stops everything at once.
    check (account_id is not null or campaign_id is not null),
    -- Cancelled is a final phase: the order names its campaign and does not expire.
    check (action <> 'cancel' or (campaign_id is not null and until is null)),
    check (until > created_at)
);
-- A scope has one order, and a new one replaces it.
create unique index override_scope on override (coalesce(account_id, 0), coalesce(campaign_id, 0));
-- The lifecycle finds orders whose time is over.
create index override_until on override (until) where not is_over;

-- 5 -- Sending --------------------------------------------------------------------------------------------------------

-- The sending side of an account. Its row lock is the lock of everything that the account has.
create table lane (
    account_id         integer primary key references account,
    -- When the dispatcher looks at it next. Null: it has nothing to send.
    wake_at            timestamptz,
    -- The daily cap of the account: `taken` messages were claimed on the local day `taken_on`.
    taken_on           date,
    taken              integer not null default 0 check (taken >= 0),
    -- Pacing: the earliest instant of the next message, the current wave, and the messages sent in it.
    next_slot_at       timestamptz,
    wave               integer not null default 0,
    wave_sent          integer not null default 0,
    -- The provider said that this number sends too fast: how long it waits, and how often that happened in a row.
    throttled_until    timestamptz,
    throttles          integer not null default 0,
    -- Health: attempts, failures and opt-outs in the current half of the sliding window, which began at `tally_since`.
    tally_since        timestamptz,
    handed             integer not null default 0,
    failed             integer not null default 0,
    opted_out          integer not null default 0,
    -- The same for the half before it. A late failure counts in the half in which its message was handed over.
    tally_before_since timestamptz,
    handed_before      integer not null default 0,
    failed_before      integer not null default 0,
    opted_out_before   integer not null default 0
) with (fillfactor = 50);
-- The dispatcher claims the lanes whose instant has come, the longest overdue first.
create index lane_wake_at on lane (wake_at) where wake_at is not null;

-- One referral in one run. It stays when it ends, so nobody enters a run twice.
create table target (
    account_id  integer not null,
    campaign_id integer not null,
    referral_id bigint not null,
    state       text not null check (state in ('active', 'completed', 'exited')),
    exit_reason text check (exit_reason in ('paid', 'opted-out', 'cancelled', 'undeliverable', 'failed', 'removed',
                                            'expired')),
    -- The day that goes out next, or the last one that did.
    day         smallint not null check (day >= 1),
    -- Failed days in a row. Two of them end the target.
    failed_days smallint not null default 0,
    -- Null: the target has ended, or its last message waits for an outcome.
    due_at      timestamptz,
    enrolled_at timestamptz not null,
    -- The revision that enrolled it.
    revision_id integer not null,
    ended_at    timestamptz,
    primary key (account_id, campaign_id, referral_id),
    -- A target says why it left exactly when it left early.
    check ((state = 'exited') = (exit_reason is not null)),
    -- It has an end exactly when it is no longer active.
    check ((state = 'active') = (ended_at is null)),
    -- Nothing is due for a target that has ended.
    check (state = 'active' or due_at is null)
) with (fillfactor = 80);
-- The claim reads the people of a run who are due, the longest overdue first, and by id where they are due at one instant.
-- Counts of active people use it too.
create index target_due on target (account_id, campaign_id, due_at, referral_id) where state = 'active';

-- The message of one target on one day: at most one row, for ever.
create table message (
    account_id   integer not null,
    referral_id  bigint not null,
    campaign_id  integer not null,
    day          smallint not null,
    -- `uncertain`: the process died or nobody answered. Such a message is never sent again by itself.
    state        text not null check (state in ('queued', 'sending', 'sent', 'delivered', 'read', 'failed', 'uncertain')),
    -- Hand-overs so far. One that the provider put off through no fault of the message does not count.
    attempts     smallint not null check (attempts >= 0),
    -- The local day of the account whose quota it took. Null: given back, because nothing left.
    quota_date    date,
    -- The number that was handed to the provider. Empty: the person was erased.
    phone        text not null,
    -- The language of what was handed over: of the template, if it is one.
    language     text not null,
    -- Empty: a template was handed over, or the person was erased.
    text         text not null,
    -- The WhatsApp template with its values, as it was handed over. Null: the text was.
    template     jsonb check (jsonb_typeof(template) = 'object'),
    -- The revision whose text it has.
    revision_id  integer not null,
    -- When it was due at its first claim: it then waited `queued_at - due_at`.
    due_at       timestamptz,
    queued_at    timestamptz not null,
    sent_at      timestamptz,
    delivered_at timestamptz,
    read_at      timestamptz,
    -- When the provider reported a failure, whatever else it reports. The consequences of a failure happen once.
    failed_at    timestamptz,
    provider_id  text,
    error        text,
    -- The person comes before the campaign: "did they get a message today, in any campaign" is one prefix scan.
    primary key (account_id, referral_id, campaign_id, day),
    -- Only a message that was sent can be delivered or read.
    check ((state in ('sent', 'delivered', 'read')) <= (sent_at is not null))
) with (fillfactor = 50);

-- One claimed batch on its way to the channel, one array element for each message. It is deleted when every outcome is
-- saved. A lease that runs out names the messages that become `uncertain`.
create table lease (
    id           bigint generated always as identity primary key,
    until        timestamptz not null,
    account_ids  integer[] not null,
    campaign_ids integer[] not null,
    referral_ids bigint[] not null,
    days         smallint[] not null
);
-- Maintenance finds the leases that ran out.
create index lease_until on lease (until);

-- Messages that the sandbox channel was handed, in order. It accepts duplicates, so that a bug becomes visible.
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

-- 6 -- Restrictions ---------------------------------------------------------------------------------------------------

-- Accounts that send nothing.
create table account_halt (
    account_id integer primary key references account,
    reason     text not null check (reason in ('failure-rate', 'opt-out-rate', 'channel-unhealthy')),
    detail     explained not null,
    halted_at  timestamptz not null,
    -- Null: until a person lifts it.
    until      timestamptz,
    -- How often in a row. Each halt lasts longer than the one before.
    times      integer not null
);

-- Channels that send nothing, whatever the account.
create table channel_halt (
    channel   text primary key,
    detail    explained not null,
    halted_at timestamptz not null,
    until     timestamptz not null,
    times     integer not null
);

-- The last word of a provider on each of our templates, numbers and business accounts: usable, or stopped.
create table provider_stop (
    channel    text not null,
    kind       text not null check (kind in ('template', 'number', 'business')),
    name       text not null,
    -- The language of a template. Empty: all of them.
    language   text not null default '',
    -- By the provider's clock. A word about an earlier instant changes nothing.
    said_at    timestamptz not null,
    -- False: the provider allows it again.
    is_stopped boolean not null,
    -- Null: until the provider says otherwise.
    until      timestamptz,
    detail     explained not null,
    -- A restriction with an end stands beside a ban without one, and changes nothing about it. A release ends both.
    has_end    boolean not null default false,
    primary key (channel, kind, name, language, has_end),
    check (has_end or until is null),
    -- Only templates have languages.
    check (language = '' or kind = 'template')
);

-- Our numbers as the provider calls them, learnt from its webhooks.
create table sender (
    channel  text not null,
    -- The provider's id of the number, by which it sends.
    number   text not null,
    -- The digits that people dial.
    digits   text,
    -- The business account that it belongs to.
    business text,
    primary key (channel, number)
);

-- 7 -- Inbound --------------------------------------------------------------------------------------------------------

-- Requests of providers. They are stored first and processed afterwards, so that a crash loses none.
create table webhook (
    id           bigint generated always as identity primary key,
    channel      text not null,
    received_at  timestamptz not null,
    body         bytea not null,
    attempts     integer not null default 0,
    -- When to process it. A process that takes it moves the instant first, which keeps others off. Null: processed, or
    -- given up.
    due_at       timestamptz,
    -- A process has it until `due_at`. A daemon that starts frees it, because that process may be dead.
    is_claimed   boolean not null default false,
    processed_at timestamptz,
    -- Why it could not be processed, or which part of it could not be read.
    error        text,
    -- It names somebody who was erased meanwhile. Its body goes as soon as it is processed or given up.
    erase        boolean not null default false,
    -- A processed webhook is not processed again.
    check (due_at is null or processed_at is null)
);
-- The receiver claims the webhooks whose instant has come, the oldest first.
create index webhook_due on webhook (due_at, id) where due_at is not null;
-- Maintenance deletes processed webhooks after a week, and given-up ones after a month.
create index webhook_processed on webhook (processed_at) where processed_at is not null;
create index webhook_given_up on webhook (received_at) where due_at is null and processed_at is null;

-- Messages of people that were already processed. Providers repeat them for days.
create table inbound (
    message_id  text primary key,
    -- Null: the provider did not say which phone it was.
    phone       text,
    -- By the provider's clock.
    at          timestamptz not null,
    -- The command in it: no more messages, or messages again.
    word        text check (word in ('stop', 'start')),
    received_at timestamptz not null
);
-- A late STOP or START finds the later words of the same person, and an erasure all messages.
create index inbound_phone on inbound (phone, at);
-- Maintenance deletes them after a month.
create index inbound_received on inbound (received_at);

-- When a person last wrote to an account. For 24 hours after that, WhatsApp admits text outside of templates.
create table conversation (
    account_id      integer not null,
    phone           text not null,
    last_inbound_at timestamptz not null,
    primary key (account_id, phone)
);
-- An erasure finds the conversations of a person.
create index conversation_phone on conversation (phone);

-- Our messages by the provider's ids. A reply that quotes one of them thereby names its account and person.
create table provider_message (
    provider_id text primary key,
    account_id  integer not null,
    campaign_id integer not null,
    referral_id bigint not null,
    day         smallint not null
);

-- Imports, erasures and replies find the messages of a person.
create index provider_message_person on provider_message (account_id, referral_id);

-- Targets that an import moved to another row of the same person, with their messages. Providers go on to name a message
-- by the row that it was sent for.
create table moved_target (
    account_id  integer not null,
    campaign_id integer not null,
    from_id     bigint not null,
    to_id       bigint not null,
    primary key (account_id, campaign_id, from_id)
);
-- A target may move again.
create index moved_target_to on moved_target (account_id, campaign_id, to_id);

-- People whom the provider calls otherwise than by the phone that we know: user ids, and other spellings of a number.
create table alias (
    -- Without the `+` of a number.
    id    text not null,
    -- In normal form. A handset may have several: a STOP by one of them concerns all.
    phone text not null,
    -- The person has left this phone for the number that is the id. STOP crosses this, START does not.
    is_left boolean not null default false,
    primary key (id, phone)
);
-- Opt-outs and erasures find the other names of a phone.
create index alias_phone on alias (phone);

-- People who wrote STOP and are told once that it was heard. A row goes when its outcome is known.
create table confirmation (
    id         bigint generated always as identity primary key,
    account_id integer not null,
    phone      text not null,
    -- The channel that heard it, and the number that they wrote to.
    channel    text not null,
    sender     text,
    language   text,
    heard_at   timestamptz not null,
    -- Null: it was handed over and may have left. It is not tried again.
    due_at     timestamptz,
    attempts   integer not null default 0
);
-- The dispatcher claims the confirmations whose instant has come.
create index confirmation_due on confirmation (due_at) where due_at is not null;

-- 8 -- Log ------------------------------------------------------------------------------------------------------------

-- The kinds of events. A domain keeps the list in one place. A foreign key to a table of kinds does so too, but makes
-- inserts of events take 1.6 times as long.
create domain event_kind as text check (value in (
    -- Runs.
    'run-created', 'run-phase',
    -- Orders of operators.
    'override-set', 'override-cleared', 'override-expired',
    -- Manifests and plans.
    'revision-applied', 'plan-refused', 'plan-approved', 'manifest-frozen', 'manifest-thawed',
    -- Facts and people.
    'import', 'suppressed', 'unsuppressed', 'near-opt-out', 'hold-released', 'contact-erased', 'opt-out-rate',
    -- Messages, providers and notifications.
    'message-resolved', 'test-sent', 'provider-notice', 'notification-given-up'
));

-- What happened to runs, and what teams and operators decided. Rows are only added. The history of a person is not
-- repeated here: referrals, targets and messages tell it.
create table event (
    -- 0: all accounts, or none in particular.
    account_id  integer not null,
    id          bigint generated always as identity,
    -- Null: all campaigns, or none in particular.
    campaign_id integer,
    at          timestamptz not null,
    kind        event_kind not null,
    -- Null: nobody in particular.
    actor       text,
    -- The phases of a run before and after.
    before      text,
    after       text,
    -- The code of a phase's reason, or the words of the actor.
    reason      text,
    -- What happened, or the explanation of the phase.
    detail      explained not null,
    -- The revision by which the run went.
    revision_id integer,
    -- The transaction that wrote it. Ids are given before transactions commit, and these commit in any order. A reader
    -- of the log therefore keeps a snapshot and asks for events that were not visible in it.
    xid         xid8 not null default pg_current_xact_id(),
    primary key (account_id, id),
    -- An event of a run names the run, its phase, reason and revision. Only the first one has no phase before it.
    check (kind not in ('run-created', 'run-phase')
           or (account_id > 0 and campaign_id is not null and after is not null and reason is not null
               and revision_id is not null and (kind = 'run-created') = (before is null)))
);
-- `log` shows the last events, or those since an instant.
create index event_at on event (at, id);
-- `log --follow` and the notifiers find the events that were not visible to them before.
create index event_xid on event (xid);

-- The notifiers in force, and how far each has read the log: whatever is visible in the snapshot is done.
create table notifier (
    name   text primary key,
    cursor pg_snapshot not null
);

-- Notifications on their way. One row stands for all equal events within the folding time of its notifier.
create table notification (
    id           bigint generated always as identity primary key,
    -- The same at every attempt: receivers recognise a repeated delivery by it.
    uid          text not null default gen_random_uuid()::text,
    notifier     text not null references notifier on delete cascade,
    topic        text not null,
    -- Events with the same key are equal.
    fold_key     text not null,
    campaign     text,
    -- One of the accounts, by its external id.
    account      text,
    -- All of them, until the first attempt. After that, nothing more is counted.
    account_ids  integer[] not null,
    accounts     bigint not null,
    events       bigint not null,
    -- How many of the events waited because an equal one had just been sent.
    folded       bigint not null,
    actor        text,
    reason       text,
    -- Of the last event.
    detail       explained not null,
    revision_id  integer,
    first_at     timestamptz not null,
    last_at      timestamptz not null,
    -- The start of its folding time. It lies ahead for a notification that waits for an equal one before it.
    created_at   timestamptz not null,
    attempts     integer not null default 0,
    -- When to try next, moved first by the process that takes it. Null: delivered, or given up.
    due_at       timestamptz,
    delivered_at timestamptz,
    error        text,
    -- A delivered notification is not sent again.
    check (due_at is null or delivered_at is null)
);
-- New events find the last notification of their key.
create index notification_alike on notification (notifier, fold_key, id);
-- Notifications that may still count events are locked while events are counted.
create index notification_untried on notification (notifier, id) where attempts = 0;
-- Delivery takes some of each notifier, the longest overdue first.
create index notification_due on notification (notifier, due_at) where due_at is not null;

-- 9 -- Control --------------------------------------------------------------------------------------------------------
-- Each of these tables has at most one row.

-- The lease of the daemon that reconciles. It ends by real time, whatever `clock` shows.
create table reconciler (
    only_row boolean primary key default true check (only_row),
    -- The fencing token grows with every change of hands. A plan is applied only under the token that stands here.
    token    bigint not null default 0,
    -- Null: no daemon has the lease.
    host     text,
    pid      integer,
    until    timestamptz,
    -- A lease has a holder and an end, or neither.
    check ((host is null) = (until is null) and (pid is null) = (until is null))
);
insert into reconciler default values;

-- Numbers that grow with every change, so that other processes notice it with one cheap read. There are two tables, so
-- that an import and an edit never wait for each other.
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

-- The virtual clock of demos and tests. It shows `shown` when the real time is `real`, and runs `speed` times as fast.
-- No row: real time.
create table clock (
    only_row boolean primary key default true check (only_row),
    real     timestamptz not null,
    shown    timestamptz not null,
    speed    double precision not null check (speed >= 0)
);

-- The id that messages carry to the provider. It tells receipts of this database from those of another one that sends
-- through the same provider account. It is made on first use, and a restored copy keeps it.
create table installation (
    only_row boolean primary key default true check (only_row),
    id       text not null check (id ~ '^[0-9a-f]{8}$'),
    -- Messages queued before this instant carry no id.
    made_at  timestamptz not null
);

-- 10 -- Access --------------------------------------------------------------------------------------------------------

-- The tokens of the API. A token is shown once, when it is created, and never stored.
create table api_token (
    id           integer generated always as identity primary key,
    -- The log shows it as the actor of its writes.
    name         text not null,
    role         text not null check (role in ('viewer', 'operator', 'ingest')),
    -- Null: every account.
    account_id   integer references account,
    -- SHA-256 of the token.
    hash         bytea not null check (octet_length(hash) = 32),
    -- The beginning of the token, by which people recognise it.
    prefix       text not null,
    created_at   timestamptz not null,
    created_by   text not null,
    -- Null: it never expires.
    expires_at   timestamptz,
    -- Known to a few minutes. Null: never.
    last_used_at timestamptz,
    revoked_at   timestamptz,
    revoked_by   text,
    -- A revocation has an instant and a person, or neither.
    check ((revoked_at is null) = (revoked_by is null))
);
-- Every request finds its token.
create unique index api_token_hash on api_token (hash);
-- A name stands for one token at a time.
create unique index api_token_name on api_token (name) where revoked_at is null;

-- Requests that carried an idempotency key, with their answers. They are deleted after a day.
create table api_request (
    token_id integer not null references api_token,
    key      text not null,
    -- SHA-256 of the method, the path and the body: a key stands for one request.
    digest   bytea not null,
    begun_at timestamptz not null,
    -- Written in the transaction of the effect. Null: it had no effect yet.
    answer   jsonb,
    primary key (token_id, key)
);
-- New requests delete the old ones.
create index api_request_begun_at on api_request (begun_at);
