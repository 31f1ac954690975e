-- What operators ordered: it beats the manifests until it is cleared or its time is over. A null stands for all.
create table override (
    id          bigint generated always as identity primary key,
    account_id  integer references account,
    campaign_id integer references campaign,
    action      text not null check (action in ('pause', 'start', 'resume', 'cancel')),
    actor       text not null,
    reason      text not null,
    created_at  timestamptz not null,
    until       timestamptz,
    check (account_id is not null or campaign_id is not null),
    check (action <> 'cancel' or (campaign_id is not null and until is null)),
    check (until > created_at)
);
-- One a scope: the last word counts. Numbers begin at 1.
create unique index override_scope on override (coalesce(account_id, 0), coalesce(campaign_id, 0));
