-- Histories of IBAM that tell everything once.

-- A sale is told to every address that asked for sales, under an id of its own each time: one line for one fact.
delete from payment_history copy using payment_history first
where copy.payment_id = first.payment_id and copy.change = first.change and copy.at = first.at
    and copy.event_id > first.event_id;
alter table payment_history drop constraint payment_history_pkey;
drop index payment_history_payment;
alter table payment_history add primary key (payment_id, change, at);

-- A membership that is cancelled, and paid for until then, changes the end of a level and not the level.
alter table access_level_history alter column level drop not null;
alter table access_level_history add column until timestamptz;
comment on column access_level_history.level is 'null: as before, only its end has changed';
