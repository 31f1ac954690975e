-- Somebody who is named in it was forgotten while it waited: its body goes when it has been processed, or is given up.
alter table webhook add erase boolean not null default false;
create index webhook_given_up on webhook (received_at) where due_at is null and processed_at is null;

-- The names of what people switched held their phones.
update inbound set message_id = 'preference ' || encode(sha256(convert_to(message_id, 'UTF8')), 'hex')
where message_id like 'preference %';
