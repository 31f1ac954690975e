-- By what this database tells messages of its own from those of others who send by the same account of a provider. Made when
-- it is first needed. What is restored from a copy goes on under its mark.
create table installation (
    only_row boolean primary key default true check (only_row),
    mark     text not null check (mark ~ '^[0-9a-f]{8}$')
);
