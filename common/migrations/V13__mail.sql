-- Sending mails: each row of `email_queue` becomes an event of the ledger (source `mail`), where its attempts, its dead
-- letter and its replay are; what came of it is kept in the row, in the transaction that settles the attempt.

alter table email_template add column html text;   -- the same as HTML; null: the mail has a plain text only

alter table email_queue
    add column magic_link text,                    -- a page: `link` is this with the recipient's magic token in its query
    add column job_id     uuid,                    -- its event in the ledger
    add column sent_at    timestamptz,             -- when the server took it
    add column versions   jsonb not null default '{}'; -- column to the version of its value
comment on column email_queue.data is 'the template''s variables; emptied when the mail is sent';

drop index email_queue_due;
create index email_queue_pending on email_queue (next_attempt_at) where status = 'pending';
create index email_queue_created on email_queue (created_at);

-- Until now the token of a welcome mail lay here as it is. It is none any more: one of its own is made when it is sent.
update user_profiles p set magic_token_expires_at = least(p.magic_token_expires_at, now()) from email_queue q
where q.recipient = p.email and q.dedupe_key like 'welcome/ibam/%' and q.data ? 'link' and q.status = 'pending'
    and p.magic_token is not null;
update email_queue
set magic_link = regexp_replace(data->>'link', '[?&]token=[^&]*$', ''), data = data - 'link' - 'expires_at'
where dedupe_key like 'welcome/ibam/%' and data ? 'link';

-- Tells the workers of what other applications write. Not of what the workers write: they know, and a NOTIFY in the way
-- of every event would have all commits wait in one line.
create function email_queued() returns trigger language plpgsql as $$
begin
    perform pg_notify('lychgate_mail', '');
    return null;
end $$;
create trigger email_queued after insert on email_queue
    for each row when (new.source = '') execute function email_queued();
