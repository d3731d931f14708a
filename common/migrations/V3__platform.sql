-- What Platform Core's webhooks (document D) tell. `source` keeps two configured platforms apart. Merged tables carry
-- `versions`: per column the age of its value, so that events may arrive in any order; their columns are nullable,
-- because a login may arrive before the user's creation does.

create table platform_user (
    source        text        not null,             -- the configured source that told of the user
    id            text        not null,             -- the platform's id, e.g. user_789
    username      text,
    name          text,
    permissions   jsonb,                            -- list of names
    created_at    timestamptz,                      -- by the platform's word, else when the creation was reported
    deleted_at    timestamptz,                      -- marked as deleted; the row and its history stay
    last_login_at timestamptz,
    logged_out_at timestamptz,                      -- a logout that named no session: ends all that began before it
    versions      jsonb       not null default '{}',-- column to the version of its value
    primary key (source, id)
);

create table platform_session (
    source     text        not null,
    id         text        not null,                -- the platform's session id, else `event:` and the login's event id
    user_id    text,
    started_at timestamptz,                         -- the login; null where only the logout has arrived
    ended_at   timestamptz,                         -- the logout that named this session
    ip_address text,                                -- as the platform wrote it
    user_agent text,
    versions   jsonb       not null default '{}',   -- column to the version of its value
    primary key (source, id)
);
create index platform_session_user on platform_session (source, user_id);

-- Sessions as they stand: ended by their own logout, by a logout without a session, or by the user's deletion.
create view platform_session_state as
select s.source, s.id, s.user_id, s.started_at, s.ip_address, s.user_agent,
    least(s.ended_at, case when u.logged_out_at >= s.started_at then u.logged_out_at end,
        case when u.deleted_at >= s.started_at then u.deleted_at end) as ended_at
from platform_session s left join platform_user u on u.source = s.source and u.id = s.user_id;

create table platform_token (
    source       text        not null,
    user_id      text        not null,
    token_type   text        not null,              -- e.g. access_token
    token_id     text        not null,              -- '' where the platform sends none: one token a user and type
    state        text,                              -- active, revoked or expired, by the newest event
    expires_at   timestamptz,
    scopes       jsonb,                             -- list of names
    issued_at    timestamptz,
    refreshed_at timestamptz,
    revoked_at   timestamptz,
    expired_at   timestamptz,
    reason       text,                              -- why it was revoked
    versions     jsonb       not null default '{}', -- column to the version of its value
    primary key (source, user_id, token_type, token_id)
);

create table platform_token_history (
    event_id   uuid        not null primary key,    -- the event that told of it
    source     text        not null,
    user_id    text        not null,
    token_type text        not null,
    token_id   text        not null,                -- '' where the platform sends none
    change     text        not null,                -- created, refreshed, revoked, expired
    at         timestamptz not null,                -- when it happened
    expires_at timestamptz,                         -- as of this event
    scopes     jsonb,                               -- as of this event
    reason     text                                 -- why, where it was said
);
create index platform_token_history_token on platform_token_history (source, user_id, token_type, token_id, at);

create table platform_rate_limit_violation (
    event_id       uuid        not null primary key,-- the event that told of it
    source         text        not null,
    at             timestamptz not null,            -- when it happened
    user_id        text,                            -- null for a caller who was not signed in
    endpoint       text        not null,            -- e.g. /v2/users/me
    request_limit  bigint      not null,            -- requests allowed in a window
    window_seconds bigint      not null,            -- the window's length
    exceeded_by    bigint      not null             -- requests over the limit
);
create index platform_rate_limit_violation_at on platform_rate_limit_violation (source, at);

create table platform_api_error (
    event_id   uuid        not null primary key,    -- the event that told of it
    source     text        not null,
    at         timestamptz not null,                -- when it happened
    message    text        not null,
    code       text,                                -- the platform's error code
    status     bigint,                              -- the HTTP status it answered with
    method     text,                                -- the request's method
    endpoint   text,                                -- the request's path
    request_id text,
    user_id    text                                 -- whose request it was
);
create index platform_api_error_at on platform_api_error (source, at);

create table platform_maintenance (
    source      text        not null,
    id          text        not null,               -- the platform's id of the window, else the event's id
    starts_at   timestamptz,
    ends_at     timestamptz,                        -- null: open end
    status      text,                               -- scheduled, started, completed, cancelled …: the platform's word
    title       text,
    description text,
    services    jsonb,                              -- list of names of what is affected
    versions    jsonb       not null default '{}',  -- column to the version of its value
    primary key (source, id)
);
create index platform_maintenance_starts on platform_maintenance (starts_at);
