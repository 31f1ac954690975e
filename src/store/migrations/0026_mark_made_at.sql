-- Since when messages have the mark: a receipt without one speaks of none that is younger.
alter table installation add made_at timestamptz not null default now();
alter table installation alter made_at drop default;
