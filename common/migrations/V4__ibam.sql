-- IBAM, the learning platform that Systeme.io feeds (system A). It is one platform however many configured sources speak
-- of it (settings webhooks, automation rules, memberships, church leaders), so a person is one row, known by the e-mail
-- address; `source` stands in the histories. Merged tables carry `versions`: per column the age of its value, so that
-- events may arrive in any order; their columns are nullable, because a cancellation may arrive before its sale does.

-- Who may sign in.
create table auth_users (
    email              text        not null primary key, -- lower case
    id                 uuid,                             -- ours, of the event that created the row
    provider           text,                             -- supabase, or local where none is configured
    provider_id        uuid,                             -- Supabase's id, where it told one
    email_confirmed_at timestamptz default now(),        -- what Systeme.io vouches for counts as confirmed
    created_at         timestamptz default now(),
    versions           jsonb       not null default '{}' -- column to the version of its value
);

create table user_profiles (
    email                  text    not null primary key, -- lower case
    contact_id             text,                         -- Systeme.io's id of the contact
    name                   text,
    first_name             text,
    last_name              text,
    locale                 text,                         -- as Systeme.io writes it, e.g. en
    fields                 jsonb,                        -- the contact's fields: slug to value
    unsubscribed           boolean,                      -- from the seller's newsletters
    bounced                boolean,                      -- mail to this address came back
    source_url             text,                         -- the page that brought the contact
    registered_at          timestamptz,                  -- at Systeme.io
    magic_token            text,                         -- SHA-256 of the token in hex, never the token; null once used
    magic_token_expires_at timestamptz,                  -- 24 hours after it was made; stays when the token is used
    created_at             timestamptz default now(),
    versions               jsonb   not null default '{}' -- column to the version of its value
);
create index user_profiles_contact on user_profiles (contact_id);
create unique index user_profiles_magic_token on user_profiles (magic_token) where magic_token is not null;

-- The catalogue, managed with `lychgate ibam …`: which tag, course, bundle, plan of Systeme.io means what at IBAM.
create table courses (
    course_id         text        not null primary key,  -- IBAM's; `systeme-N` for one that was sold before it was listed
    title             text,
    systeme_course_id text,                              -- Systeme.io's id of the course
    systeme_bundle_id text,                              -- Systeme.io's id of the bundle that contains it
    versions          jsonb       not null default '{}'  -- column to the version of its value
);
create table course_tag_map (
    tag       text not null,                             -- the tag's name in lower case, or its id
    course_id text not null,                             -- what a contact with the tag may take
    primary key (tag, course_id)
);
create table membership_tiers (
    tier          text    not null primary key,          -- e.g. gold, in lower case
    title         text    not null,                      -- for people
    access_level  text    not null,                      -- what its members may see
    rank          integer not null default 0,            -- higher is more
    price_plan_id text,                                  -- Systeme.io's id of the price plan that buys it
    tag           text                                   -- the tag that gives it, in lower case, or the tag's id
);

-- Why somebody may take a course: one row a reason, so that losing one of two keeps the course.
create table course_enrolments (
    email       text  not null,
    course_id   text  not null,
    via         text  not null,                          -- tag:NAME, order:ID or systeme (enrolled there)
    status      text,                                    -- active or ended; an ended row stays
    access_type text,                                    -- Systeme.io's, e.g. full_access
    enrolled_at timestamptz,
    ended_at    timestamptz,                             -- null while active
    end_reason  text,                                    -- tag_removed, sale_cancelled, unenrolled
    versions    jsonb not null default '{}',             -- column to the version of its value
    primary key (email, course_id, via)
);
create index course_enrolments_course on course_enrolments (course_id);

-- Who may take which course now.
create view course_access as
select email, course_id, bool_or(status = 'active') as active, min(enrolled_at) as since,
    case when not bool_or(status = 'active') then max(ended_at) end as until
from course_enrolments group by email, course_id;

create table payments (
    payment_id     text  not null primary key,           -- order:ID for Systeme.io's orders, else the sender's id
    email          text,
    order_id       text,
    amount_cents   bigint,                               -- what was paid in all
    discount_cents bigint,
    currency       text,                                 -- ISO 4217
    status         text,                                 -- paid, cancelled (refunds too), failed, refunded
    plan_id        text,                                 -- Systeme.io's price plan
    plan_name      text,
    processor      text,                                 -- e.g. stripe
    coupon         text,
    paid_at        timestamptz,
    cancelled_at   timestamptz,
    versions       jsonb not null default '{}'           -- column to the version of its value
);
create index payments_email on payments (email);
create table payment_history (
    event_id     uuid        not null primary key,       -- the event that told of it
    source       text        not null,
    payment_id   text        not null,
    email        text,
    change       text        not null,                   -- paid, cancelled, failed, refunded
    at           timestamptz not null,                   -- when it happened
    amount_cents bigint,
    currency     text
);
create index payment_history_payment on payment_history (payment_id, at);

create table memberships (
    email      text  not null,
    via        text  not null,                           -- membership (the sender says so), order:ID or tag:NAME
    tier       text,
    status     text,                                     -- active, paused, cancelled, expired
    started_at timestamptz,
    ends_at    timestamptz,                              -- null: until cancelled
    versions   jsonb not null default '{}',              -- column to the version of its value
    primary key (email, via)
);
create table membership_history (
    event_id uuid        not null primary key,           -- the event that told of it
    source   text        not null,
    email    text        not null,
    via      text        not null,                       -- membership, order:ID or tag:NAME
    change   text        not null,                       -- the event's type
    tier     text,
    status   text        not null,
    at       timestamptz not null                        -- when it happened
);
create index membership_history_email on membership_history (email, at);

create table subscriptions (
    subscription_id    text  not null primary key,       -- the sender's id, or order:ID for a sale of a subscription
    email              text,
    plan_id            text,
    plan_name          text,
    status             text,                             -- active, past_due, paused, cancelled, expired
    amount_cents       bigint,                           -- of one period
    currency           text,                             -- ISO 4217
    started_at         timestamptz,
    current_period_end timestamptz,
    cancelled_at       timestamptz,
    versions           jsonb not null default '{}'       -- column to the version of its value
);
create index subscriptions_email on subscriptions (email);
create table subscription_history (
    event_id           uuid        not null primary key, -- the event that told of it
    source             text        not null,
    subscription_id    text        not null,
    email              text        not null,
    change             text        not null,             -- the event's type
    status             text        not null,
    at                 timestamptz not null,             -- when it happened
    current_period_end timestamptz
);
create index subscription_history_subscription on subscription_history (subscription_id, at);

create table access_levels (
    email    text  not null,
    via      text  not null,                             -- membership, order:ID, tag:NAME, or direct (set by hand)
    level    text,                                       -- none once it has ended
    reason   text,                                       -- tier:NAME, membership_STATUS, or the sender's words
    since    timestamptz,
    until    timestamptz,                                -- null: until further notice
    versions jsonb not null default '{}',                -- column to the version of its value
    primary key (email, via)
);
create table access_level_history (
    event_id uuid        not null primary key,           -- the event that told of it
    source   text        not null,
    email    text        not null,
    via      text        not null,                       -- membership, order:ID, tag:NAME or direct
    level    text        not null,
    reason   text,
    at       timestamptz not null                        -- when it happened
);
create index access_level_history_email on access_level_history (email, at);

-- What somebody may see now: of several levels the one of the highest rank.
create view access_now as
select distinct on (a.email) a.email, a.level, a.via, a.until
from access_levels a
left join (select access_level, max(rank) as rank from membership_tiers group by 1) t on t.access_level = a.level
where a.level <> 'none' and (a.until is null or a.until > now())
order by a.email, coalesce(t.rank, 0) desc, a.via;

create table organisations (
    organisation_id text  not null primary key,          -- the sender's
    name            text,
    kind            text,                                -- e.g. church, district, network
    parent_id       text,                                -- null: at the top; may name one that is not known yet
    removed_at      timestamptz,
    versions        jsonb not null default '{}'          -- column to the version of its value
);
create index organisations_parent on organisations (parent_id);

-- The handler refuses a cycle with what it has read; two moves at the same moment only the database can see. The lock
-- lets one pass at a time, and only where a parent changes.
create function organisations_no_cycle() returns trigger language plpgsql as $$
declare
    above text := new.parent_id;
    steps integer := 0;
begin
    perform pg_advisory_xact_lock(hashtext('organisations_no_cycle'));
    while above is not null and steps < 1000 loop
        if above = new.organisation_id then
            raise exception 'organisation % cannot be placed under %: that would close a cycle in the hierarchy',
                new.organisation_id, new.parent_id
                using errcode = 'check_violation', constraint = 'organisations_no_cycle';
        end if;
        select parent_id into above from organisations where organisation_id = above;
        if not found then above := null; end if;
        steps := steps + 1;
    end loop;
    return null;
end $$;
create trigger organisations_moved after update of parent_id on organisations
    for each row when (new.parent_id is not null and new.parent_id is distinct from old.parent_id)
    execute function organisations_no_cycle();
create trigger organisations_placed after insert on organisations
    for each row when (new.parent_id is not null) execute function organisations_no_cycle();

create table church_leaders (
    email           text  not null,
    organisation_id text  not null,
    role            text  not null,                      -- e.g. pastor, in lower case
    status          text,                                -- active or withdrawn; a withdrawn row stays
    assigned_at     timestamptz,
    withdrawn_at    timestamptz,                         -- null while active
    versions        jsonb not null default '{}',         -- column to the version of its value
    primary key (email, organisation_id, role)
);
create index church_leaders_organisation on church_leaders (organisation_id);
create table leader_permissions (
    email           text  not null,
    organisation_id text  not null,
    permissions     jsonb,                               -- list of names; counts while a role there is active
    versions        jsonb not null default '{}',         -- column to the version of its value
    primary key (email, organisation_id)
);
-- Who had which role when, and what they were allowed.
create table church_leader_audit (
    event_id        uuid        not null primary key,    -- the event that told of it
    source          text        not null,
    email           text        not null,
    organisation_id text        not null,
    role            text,                                -- null where only permissions changed
    change          text        not null,                -- assigned, withdrawn, permissions
    permissions     jsonb,                               -- as of this event, where it said
    reason          text,
    at              timestamptz not null                 -- when it happened
);
create index church_leader_audit_email on church_leader_audit (email, at);

-- What leaders may do now, where.
create view leader_rights as
select p.email, p.organisation_id, jsonb_array_elements_text(p.permissions) as permission
from leader_permissions p
where jsonb_typeof(p.permissions) = 'array' and exists (
    select from church_leaders c
    where c.email = p.email and c.organisation_id = p.organisation_id and c.status = 'active');
