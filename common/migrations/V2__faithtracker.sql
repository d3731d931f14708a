-- FaithTracker, fed by FaithFlow Enterprise: campuses, members, reconciliation, and the views its users query.

-- A campus and how it is kept in step with its core system.
create table campus_sync (
    campus_id          uuid        not null primary key,
    church_id          text        not null unique,        -- the core system's name for it, as webhooks carry it
    name               text        not null,
    core_api_url       text        not null,               -- base URL; `/api/members` is added
    core_token         bytea       not null,               -- bearer token, sealed (see `common/src/vault.rs`)
    enabled            boolean     not null default true,
    sync_method        text        not null default 'webhook' check (sync_method in ('webhook', 'polling')),
                                                           -- polling: the daily reconciliation only, webhooks are refused
    filters            jsonb       not null default '{}',  -- {"mode": "include"|"exclude", "rules": [{field, operator, value}]}
    initial_engagement text        not null default 'active', -- engagement_status of a member that sync creates
    time_zone          text        not null default 'UTC', -- IANA name: whose 03:00 the daily reconciliation keeps
    created_at         timestamptz not null,
    updated_at         timestamptz not null
);

-- A campus's webhook secrets: during a rotation the old and the new one verify.
create table campus_secret (
    id         uuid        not null primary key,
    campus_id  uuid        not null references campus_sync on delete cascade,
    sealed     bytea       not null,
    created_at timestamptz not null,
    expires_at timestamptz                                 -- null: current
);
create index campus_secret_campus on campus_secret (campus_id);

-- Members. What sync writes is named in `worker/src/handlers/faithflow/tables.rs`; all the rest is FaithTracker's own.
create table members (
    campus_id         uuid        not null,
    member_id         text        not null,                -- the core system's id
    name              text,
    phone             text,
    gender            text,
    birth_date        date,
    photo_url         text,
    engagement_status text,                                -- set once by sync, FaithTracker's own afterwards
    is_archived       boolean     not null default false,
    archived_reason   text,
    archived_at       timestamptz,
    synced_at         timestamptz,                         -- as of when the core system was last asked about it
    created_at        timestamptz not null default now(),
    versions          jsonb       not null default '{}',   -- column -> version of its last writer, kept by the applier
    notes             text        not null default '',     -- local: sync never touches it
    tags              text[]      not null default '{}',   -- local: sync never touches it
    last_contact_date date,                                -- local: sync never touches it
    primary key (campus_id, member_id)
);
create index members_active on members (campus_id) where not is_archived;

-- Care given to a member. Local history: sync never touches it, and archiving a member leaves it.
create table care_events (
    id          uuid        not null primary key default gen_random_uuid(),
    campus_id   uuid        not null,
    member_id   text        not null,
    event_type  text        not null,
    event_date  date        not null,
    title       text        not null default '',
    description text        not null default '',
    completed   boolean     not null default false,
    created_at  timestamptz not null default now()
);
create index care_events_member on care_events (campus_id, member_id);

-- Age is a question about today, so it is answered when it is asked.
create view members_with_age as
select m.*,
       case when m.birth_date <= current_date
            then extract(year from age(current_date, m.birth_date))::integer end as age
from members m;

-- Members that the campus's filters keep out: that they exist and why they are not stored, and nothing else about them.
create table filtered_members (
    campus_id   uuid        not null,
    member_id   text        not null,
    reason      text,
    filtered_at timestamptz,
    versions    jsonb       not null default '{}',
    primary key (campus_id, member_id)
);

-- One reconciliation of one campus. At most one is open for a campus; whoever holds the lease works on it.
create table reconciliation_run (
    id          uuid        not null primary key,
    campus_id   uuid        not null references campus_sync on delete cascade,
    cause       text        not null check (cause in ('daily', 'demand')),
    day         date        not null,                      -- the campus's own date
    forced      boolean     not null default false,        -- an implausible answer is believed
    phase       text        not null default 'fetching'
                check (phase in ('fetching', 'applying', 'archiving', 'done', 'left_alone', 'failed')),
    next_page   integer     not null default 1,            -- fetching: the page to ask for
    cursor      text        not null default '',           -- applying, archiving: the member id that was done last
    fetched     bigint      not null default 0,
    created     bigint      not null default 0,
    updated     bigint      not null default 0,
    archived    bigint      not null default 0,
    restored    bigint      not null default 0,
    filtered    bigint      not null default 0,
    unchanged   bigint      not null default 0,
    malformed   bigint      not null default 0,
    failures    integer     not null default 0,            -- passing faults of the core system so far
    error       text,                                      -- why it was left alone, failed, or last had to wait
    started_at  timestamptz not null,
    finished_at timestamptz,
    holder      text,                                      -- who works on it
    lease_until timestamptz not null,                      -- until when nobody else may
    check ((finished_at is null) = (phase in ('fetching', 'applying', 'archiving')))
);
create unique index reconciliation_run_open on reconciliation_run (campus_id) where finished_at is null;
create unique index reconciliation_run_daily on reconciliation_run (campus_id, day) where cause = 'daily';
create index reconciliation_run_started on reconciliation_run (campus_id, started_at);

-- What the core system answered in an open run; emptied when the run ends.
create table reconciliation_member (
    run_id     uuid        not null references reconciliation_run on delete cascade,
    member_id  text        not null,
    data       jsonb       not null,
    active     boolean     not null,                       -- whether it counts the member as one
    fetched_at timestamptz not null,
    primary key (run_id, member_id)
);

-- The document's sync logs.
create view sync_logs as
select id, campus_id, cause as sync_type, phase as status, fetched, created, updated, archived, restored, filtered,
       unchanged, malformed, error as error_message, started_at, finished_at as completed_at
from reconciliation_run;

-- A refused delivery has no event that would say which preset it was for.
alter table delivery_log add column preset text not null default '';

-- A received body as JSON. A body that is none (or none that jsonb can hold) is shown as {"raw": …}, never an error.
create function body_as_json(body bytea) returns jsonb language plpgsql immutable parallel unsafe as $$
begin
    return convert_from(body, 'UTF8')::jsonb;
exception when others then
    return jsonb_build_object('raw', encode(body, 'escape'));
end
$$;

-- The document's `webhook_logs`: every delivery of a FaithFlow source, refused ones included.
create view webhook_logs as
select d.id,
       c.campus_id,
       coalesce(d.kind, d.payload ->> 'event_type') as event_type,
       coalesce(d.subject, d.payload ->> 'member_id') as member_id,
       d.payload,
       d.signature_valid,
       d.received_at
from (
    select e.id, e.tenant, e.kind, e.subject, p.payload, true as signature_valid, e.received_at
    from event e cross join lateral (select body_as_json(e.body) as payload offset 0) p
    where e.preset = 'faithflow'
    union all
    select l.id, l.tenant, l.kind, null::text, p.payload, l.authentic, l.received_at
    from delivery_log l cross join lateral (select body_as_json(l.body) as payload offset 0) p
    where l.preset = 'faithflow' or l.source = 'faithflow'
) d
left join lateral (
    select s.campus_id from campus_sync s
    where coalesce(nullif(d.tenant, ''), d.payload ->> 'church_id', d.payload ->> 'campus_id')
          in (s.church_id, s.campus_id::text)
    order by s.created_at limit 1
) c on true;
