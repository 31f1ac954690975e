-- When the half window before the one that runs began: failures are told of messages that were handed over in either.
alter table lane add tally_before_since timestamptz;
