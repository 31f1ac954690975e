-- Plans that look like an accident. One that a person approves is carried out, once; rows without a revision are about the
-- plan that waits, and go when another takes its place.
create table refused_plan (
    id              integer generated always as identity primary key,
    digest          text not null,
    refusal         text not null,
    changes         jsonb not null,
    refused_at      timestamptz not null,
    approved_at     timestamptz,
    approved_by     text,
    approval_reason text,
    -- What it became.
    revision_id     integer references revision,
    check ((approved_at is null) = (approved_by is null) and (approved_at is null) = (approval_reason is null))
);
create unique index refused_plan_waiting on refused_plan (digest) where revision_id is null;
