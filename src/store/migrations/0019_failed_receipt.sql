-- When the provider said of a message it took that it failed, whatever it says besides: what that asks for happens once.
alter table message add failed_at timestamptz;
