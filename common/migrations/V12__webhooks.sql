-- Webhooks of our own (document D): who is told of which events, what signs the deliveries, and how fast they may come.

create table webhook (
    id              text        not null primary key,  -- `webhook_` and 32 hex digits; the tenant of its deliveries
    url             text        not null,
    events          text[]      not null,              -- names, `user.*`, `*`
    sources         text[],                            -- null: events of every source
    description     text,
    active          boolean     not null,
    disabled_at     timestamptz,                       -- when we gave it up; its owner pauses it with `active` alone
    disabled_reason text,
    failing_since   timestamptz,                       -- the first failure since the last success
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    check (not active or disabled_at is null)
);

-- What signs its deliveries, encrypted. During a rotation there are two.
create table webhook_secret (
    id         uuid        not null primary key,
    webhook_id text        not null references webhook on delete cascade,
    sealed     bytea       not null,
    created_at timestamptz not null,
    expires_at timestamptz                             -- null for the current one
);
create index webhook_secret_webhook on webhook_secret (webhook_id);

-- What each endpoint was sent in the last minute, second by second. Narrow and apart, because every delivery updates it.
create table webhook_pace (
    webhook_id  text        not null primary key references webhook on delete cascade,
    second      bigint      not null default 0,        -- the second, since 1970, that `sent` begins with
    sent        integer[]   not null default '{}',     -- the latest first
    deferred_to timestamptz not null default 'epoch' -- when the last one that waits is to come back
) with (fillfactor = 50);

-- The deliveries of each webhook. What became of them is in the ledger, where each is an event.
create table webhook_delivery (
    webhook_id text not null,
    event_id   uuid not null,
    primary key (webhook_id, event_id)
) partition by range (event_id);
