-- Facts that arrive one by one are younger than the row they change. Each has an age of its own, so that an older export
-- cannot undo it, while the rest of what that export says still goes in. Null: no event ever said it.
alter table referral add paid_as_of timestamptz;
alter table account add subscription_as_of timestamptz, add whatsapp_as_of timestamptz;
