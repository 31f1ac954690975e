-- What providers told last of templates, numbers and accounts of ours: whether anything may be sent with them. What was told
-- of an earlier instant changes nothing.
create table provider_stop (
    channel    text not null,
    kind       text not null check (kind in ('template', 'number', 'business')),
    name       text not null,
    -- Of a template; empty: in all of them.
    language   text not null default '',
    said_at    timestamptz not null,
    is_stopped boolean not null,
    until      timestamptz,
    message    text not null,
    primary key (channel, kind, name, language),
    check (language = '' or kind = 'template')
);

-- Numbers of ours as providers call them, learnt from what they post.
create table sender (
    channel  text not null,
    number   text not null,
    digits   text,
    business text,
    primary key (channel, number)
);

-- Which template it was that could not be sent, and by which channel, where that is known.
alter table run add fault_channel text, add fault_template text, add fault_language text;
