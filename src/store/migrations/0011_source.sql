-- Of which source a revision is: its name, and when nobody gave it one, its repository if it is one of git. Null: nobody
-- asked. What is in force belongs to the source of the newest revision that has one, and no other source changes it.
alter table revision
    add source text,
    add repository text,
    add check (repository is null or source is not null);
