-- A hand-over that the provider put off through no fault of the message is none of its attempts.
alter table message drop constraint message_attempts_check, add check (attempts >= 0);
