-- The path of an event: what was accepted, where it stands, what was tried, what an operator did.

create type event_status as enum ('accepted', 'retrying', 'succeeded', 'ignored', 'dead', 'discarded');

-- What was received, byte for byte. Immutable. One partition a day, by the id, which is a UUIDv7.
create table event (
    id           uuid        not null primary key,
    source       text        not null,             -- the source's configured name
    preset       text        not null,             -- what the source is made from: picks the handler
    tenant       text        not null default '',  -- whose event within the source; '' where there are no tenants
    kind         text        not null,             -- the sender's event type
    subject      text,                             -- what it is about, where the preset knows
    key          text,                             -- the idempotency key, first 255 characters, for display
    occurred_at  timestamptz,                      -- by the sender's word
    received_at  timestamptz not null,
    content_type text,
    headers      jsonb       not null default '{}',-- without credentials and signatures
    body         bytea       not null,
    body_sha256  bytea       not null,
    traceparent  text
) partition by range (id);

-- Where it stands. Narrow, because it is updated; partitioned as `event` is.
create table event_state (
    id           uuid         not null primary key,
    source       text         not null,
    shard        smallint     not null,
    status       event_status not null default 'accepted',
    attempt      integer      not null default 1,  -- the attempt that is due or running; fences late copies off
    climbed      smallint     not null default 0,  -- levels of the retry schedule climbed since acceptance or replay
    starts       smallint     not null default 0,  -- starts of this attempt seen after a redelivery: poison at three
    leased       boolean      not null default false, -- claimed by a worker (the store as the queue only)
    due_at       timestamptz  not null,            -- when the sweeper, or a claim, may take it; '-infinity': at once
    finished_at  timestamptz,
    check ((finished_at is null) = (status in ('accepted', 'retrying')))
) partition by range (id);
create index event_state_due on event_state (due_at) where finished_at is null;
create index event_state_dead on event_state (id) where status = 'dead';

-- Every attempt that was settled.
create table attempt (
    event_id    uuid        not null,
    attempt     integer     not null,
    started_at  timestamptz not null,
    micros      bigint      not null,              -- how long the handler ran
    outcome     text        not null,              -- succeeded, ignored, temporary, permanent, poison
    class       text,                              -- the failure's class
    error       jsonb,                             -- {message, stack, timestamp}
    reply       json,                              -- what a waiting sender is answered with, its fields in their order
    worker      text        not null,
    build       text        not null,
    primary key (event_id, attempt)
) partition by range (event_id);

-- Idempotency keys. One partition a week; only the current one is written, the older ones are probed.
create table dedup_key (
    bucket      date  not null,
    source      text  not null,
    key_hash    bytea not null,                    -- sha256 over kind, tenant and key
    event_id    uuid  not null,
    body_sha256 bytea not null,
    primary key (bucket, source, key_hash)
) partition by range (bucket);

-- Events that cannot be processed, until an operator has dealt with them.
create table dead_letter (
    event_id    uuid        not null primary key,
    source      text        not null,
    kind        text        not null,
    tenant      text        not null default '',
    fingerprint text        not null,              -- 16 hex digits over source, kind, class and normalised message
    class       text        not null,
    message     text        not null,
    error       jsonb       not null,              -- {message, stack, timestamp}
    attempts    integer     not null,
    died_at     timestamptz not null,
    worker      text        not null,
    build       text        not null
);
create index dead_letter_fingerprint on dead_letter (fingerprint, died_at);
create index dead_letter_died on dead_letter (died_at);

-- The answer a sender got that depended on the outcome (a source that answers when processed), for its duplicates.
create table event_answer (
    event_id    uuid        not null primary key,
    status      smallint    not null,
    body        bytea       not null,
    answered_at timestamptz not null
);

-- Deliveries that made no event: refused, answered directly (tests, handshakes), recognised as duplicates.
create table delivery_log (
    id          uuid        not null primary key,
    received_at timestamptz not null,
    source      text        not null,
    tenant      text        not null default '',
    kind        text,
    outcome     text        not null check (outcome in ('refused', 'answered', 'duplicate', 'conflict')),
    reason      text        not null,
    status      smallint    not null,
    address     inet,
    key         text,
    event_id    uuid,                              -- the event it repeats, where it repeats one
    authentic   boolean     not null,              -- whether its signature or token was good
    body        bytea,                             -- the first 64 KiB, where the body was read
    headers     jsonb       not null default '{}'
) partition by range (id);
create index delivery_log_source on delivery_log (source, received_at);

-- Refusals that look like an attack.
create table security_event (
    id       uuid        not null primary key,
    at       timestamptz not null,
    source   text        not null,
    reason   text        not null,
    address  inet,
    detail   jsonb       not null default '{}'
);
create index security_event_at on security_event (at);

-- What operators did, and why.
create table audit (
    id      uuid        not null primary key,
    at      timestamptz not null,
    actor   text        not null,
    action  text        not null,
    subject text        not null,
    reason  text        not null default '',
    detail  jsonb       not null default '{}'
);
create index audit_subject on audit (subject, at);

-- When each secret last verified a request, so that an operator sees when the old one can go.
create table secret_use (
    source       text        not null,
    tenant       text        not null default '',
    label        text        not null,             -- first 8 hex digits of the secret's SHA-256
    last_used_at timestamptz not null,
    uses         bigint      not null default 0,
    primary key (source, tenant, label)
);

-- Workers alive.
create table worker_heartbeat (
    worker     text        not null primary key,
    build      text        not null,
    started_at timestamptz not null,
    seen_at    timestamptz not null
);

-- How far each shard's main queue has been consumed: an event received before `through` cannot be waiting in it.
create table shard_progress (
    shard   smallint    not null primary key,
    through timestamptz not null,
    seen_at timestamptz not null
);

-- What singletons remember between runs (reconciliation cursors and the like).
create table job_memory (
    name       text        not null primary key,
    memory     jsonb       not null,
    updated_at timestamptz not null
);
