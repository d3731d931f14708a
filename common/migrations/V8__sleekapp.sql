-- SleekApp (document E): orders and what Stripe tells of their payments, suppliers, mails to send, analytics, and the
-- document's views of the ledger. `source` keeps two configured Stripe endpoints apart. Amounts are in the currency's
-- minor unit, as Stripe has them. Merged tables carry `versions`: per column the age of its value, so that events may
-- arrive in any order; their columns are nullable, because a refund may arrive before its payment does.

-- Who can be given orders. Kept by hand: `insert into supplier (supplier_id, name) values ('acme', 'Acme Textiles')`.
-- A change holds from the next confirmed order on; orders keep the supplier that they have.
create table supplier (
    supplier_id text        not null primary key,
    name        text        not null,
    active      boolean     not null default true,      -- false: gets no further orders
    priority    integer     not null default 100,       -- lower is asked first; equals share by a hash of the order's id
    capacity    integer     check (capacity >= 0),      -- orders in 24 hours, about (concurrent confirmations may overshoot); null: any number
    created_at  timestamptz not null default now()
);

create table "order" (
    source               text        not null,
    account              text        not null,           -- Stripe Connect: the connected account; '' for one's own
    order_id             text        not null,           -- metadata.order_id of the payment, else the payment intent's id
    amount               bigint,                         -- what is asked for, by the newest payment
    currency             text,                           -- ISO 4217, lower case
    customer_id          text,                           -- cus_…
    customer_email       text,
    payment_intent_id    text,                           -- the newest payment's
    created_at           timestamptz,                    -- when the newest payment was begun
    updated_at           timestamptz,                    -- the newest event about the order
    processing_at        timestamptz,                    -- a payment that takes days is under way
    payment_failed_at    timestamptz,
    failure              text,                           -- why it failed: Stripe's code and words
    canceled_at          timestamptz,
    cancel_reason        text,                           -- Stripe's word
    expired_at           timestamptz,                    -- the checkout was left
    confirmed_at         timestamptz,                    -- the payment succeeded
    amount_paid          bigint,
    paid_by              text,                           -- the payment intent (or charge) that succeeded
    amount_refunded      bigint,                         -- in total
    supplier_id          text,                           -- chosen at confirmation; null: none was free
    supplier_assigned_at timestamptz,
    merged_into          text,                           -- the payment belongs to this order, as its checkout session knew
    -- Never written: follows from the facts above, so that it is the same in whatever order they arrived.
    status               text        generated always as (case
        when merged_into is not null then 'merged'
        when confirmed_at is not null and amount_refunded > 0 and amount_refunded >= coalesce(amount_paid, amount, 0) then 'refunded'
        when confirmed_at is not null and amount_refunded > 0 then 'partially_refunded'
        when confirmed_at is not null then 'confirmed'
        when greatest(canceled_at, expired_at, payment_failed_at, processing_at) is null then 'pending'
        when canceled_at = greatest(canceled_at, expired_at, payment_failed_at, processing_at) then 'canceled'
        when expired_at = greatest(expired_at, payment_failed_at, processing_at) then 'expired'
        when payment_failed_at = greatest(payment_failed_at, processing_at) then 'payment_failed'
        else 'processing' end) stored,
    versions             jsonb       not null default '{}', -- column to the version of its value
    primary key (source, account, order_id)
);
create index order_supplier on "order" (supplier_id, supplier_assigned_at);
create index order_status on "order" (status, updated_at);

create table order_history (
    event_id  uuid        not null,                      -- the event that told of it
    order_id  text        not null,
    source    text        not null,
    account   text        not null,
    change    text        not null,                      -- confirmed, payment_failed, processing, canceled, expired, refunded, merged
    at        timestamptz not null,                      -- when it happened
    amount    bigint,                                    -- paid, asked for or refunded, by the change
    currency  text,
    detail    jsonb       not null,                      -- payment, supplier, reason …: what is known
    primary key (event_id, order_id)
);
create index order_history_order on order_history (source, account, order_id, at);

create table stripe_customer (
    source     text        not null,
    id         text        not null,                     -- cus_…
    email      text,
    name       text,
    created_at timestamptz,
    deleted_at timestamptz,                              -- marked as deleted
    versions   jsonb       not null default '{}',        -- column to the version of its value
    primary key (source, id)
);

create table stripe_checkout_session (
    source            text        not null,
    id                text        not null,              -- cs_…
    mode              text,                              -- payment, setup, subscription
    status            text,                              -- open, complete, expired
    payment_status    text,                              -- paid, unpaid, no_payment_required
    order_id          text,                              -- the order that it pays, where it pays one
    payment_intent_id text,
    subscription_id   text,
    customer_id       text,
    email             text,                              -- as the customer typed it
    amount_total      bigint,
    currency          text,
    created_at        timestamptz,
    versions          jsonb       not null default '{}', -- column to the version of its value
    primary key (source, id)
);

create table stripe_charge (
    source            text        not null,
    id                text        not null,              -- ch_… or py_…
    status            text,                              -- pending, succeeded, failed
    payment_intent_id text,
    customer_id       text,
    email             text,
    amount            bigint,
    amount_captured   bigint,
    amount_refunded   bigint,
    currency          text,
    disputed          boolean,
    failure_code      text,
    failure_message   text,
    receipt_url       text,
    created_at        timestamptz,
    versions          jsonb       not null default '{}', -- column to the version of its value
    primary key (source, id)
);

create table stripe_refund (
    source            text        not null,
    id                text        not null,              -- re_…
    status            text,                              -- pending, requires_action, succeeded, failed, canceled
    charge_id         text,
    payment_intent_id text,
    amount            bigint,
    currency          text,
    reason            text,                              -- as given
    failure_reason    text,
    created_at        timestamptz,
    versions          jsonb       not null default '{}', -- column to the version of its value
    primary key (source, id)
);

create table stripe_subscription (
    source               text        not null,
    id                   text        not null,           -- sub_…
    customer_id          text,
    status               text,                           -- incomplete, trialing, active, past_due, unpaid, paused, canceled …
    price_id             text,                           -- the first item's
    quantity             bigint,                         -- the first item's
    current_period_start timestamptz,
    current_period_end   timestamptz,
    cancel_at_period_end boolean,
    cancel_at            timestamptz,
    canceled_at          timestamptz,                    -- when the cancellation was asked for
    ended_at             timestamptz,
    trial_end            timestamptz,
    latest_invoice_id    text,
    created_at           timestamptz,
    versions             jsonb       not null default '{}', -- column to the version of its value
    primary key (source, id)
);
create index stripe_subscription_customer on stripe_subscription (source, customer_id);

create table stripe_subscription_history (
    event_id        uuid        not null primary key,    -- the event that told of it
    source          text        not null,
    subscription_id text        not null,
    change          text        not null,                -- created, updated, deleted, paused, resumed, trial_will_end …
    at              timestamptz not null,                -- when it happened
    status          text,                                -- as of this event
    previous        jsonb                                -- what the values were that this event changed
);
create index stripe_subscription_history_of on stripe_subscription_history (source, subscription_id, at);

create table stripe_invoice (
    source             text        not null,
    id                 text        not null,             -- in_…
    number             text,                             -- as printed on it; drafts have none
    status             text,                             -- draft, open, paid, uncollectible, void, deleted
    customer_id        text,
    customer_email     text,
    subscription_id    text,
    amount_due         bigint,
    amount_paid        bigint,
    amount_remaining   bigint,
    currency           text,
    attempt_count      bigint,                           -- payments tried
    next_attempt_at    timestamptz,                      -- when Stripe tries again; null: never
    due_at             timestamptz,
    paid_at            timestamptz,
    hosted_invoice_url text,                             -- where the customer can pay
    created_at         timestamptz,
    versions           jsonb       not null default '{}', -- column to the version of its value
    primary key (source, id)
);
create index stripe_invoice_subscription on stripe_invoice (source, subscription_id);

create table stripe_invoice_history (
    event_id    uuid        not null primary key,        -- the event that told of it
    source      text        not null,
    invoice_id  text        not null,
    change      text        not null,                    -- created, finalized, paid, payment_failed, voided …
    at          timestamptz not null,                    -- when it happened
    status      text,                                    -- as of this event
    amount_paid bigint                                   -- as of this event
);
create index stripe_invoice_history_of on stripe_invoice_history (source, invoice_id, at);

-- What is measured, one row a measurement.
create table analytics_record (
    id          uuid        not null primary key,        -- the event that told of it
    source      text        not null,
    metric_type text        not null,                    -- social_share …
    dimensions  jsonb       not null,                    -- what it can be grouped by: platform, content, who …
    value       bigint      not null,                    -- how many
    recorded_at timestamptz not null                     -- when it happened
);
create index analytics_record_metric on analytics_record (metric_type, recorded_at);

-- Texts of mails, with {{variables}} that a mail's `data` fills; a missing one is an error of the mail.
create table email_template (
    name       text        not null primary key,
    subject    text        not null,
    body       text        not null,                     -- plain text
    updated_at timestamptz not null default now()
);
insert into email_template (name, subject, body) values
('order_confirmation', 'Your order {{order_id}} is confirmed',
 E'Thank you for your order.\n\nWe have received your payment of {{amount}} for order {{order_id}}, and production can begin.\n'),
('payment_failed', 'Your payment could not be completed',
 E'Your payment of {{amount}} for {{subject}} could not be completed: {{reason}}\n\nPlease try again or use another means of payment.\n'),
('password_reset', 'Reset your password',
 E'Somebody, hopefully you, asked for a new password. Choose one here:\n\n{{link}}\n\nThe link is valid until {{expires_at}}. If it was not you, nothing needs to be done.\n'),
('quote_submission', 'We have received your request for a quote',
 E'Thank you, {{name}}. Your request {{quote_id}} has reached us, and we will answer it soon.\n'),
('welcome', 'Welcome, {{name}}',
 E'Welcome, {{name}}! Your account is ready. Sign in here:\n\n{{link}}\n\nThe link is valid until {{expires_at}}.\n');

-- Mails to be sent. Handlers write them with their other changes; any other application may, too:
-- `insert into email_queue (template, recipient, data) values ('password_reset', 'jane@example.com', '{"link": …}')`.
create table email_queue (
    dedupe_key      text        not null primary key default gen_random_uuid()::text, -- a second mail under one key is not queued
    id              uuid        not null unique default gen_random_uuid(),
    template        text        not null,                -- a name in `email_template`
    recipient       text        not null,                -- one address
    data            jsonb       not null default '{}',   -- the template's variables
    status          text        not null default 'pending' check (status in ('pending', 'sending', 'sent', 'failed')),
    attempts        integer     not null default 0,      -- attempts at sending
    next_attempt_at timestamptz not null default now(),  -- not to be sent earlier
    last_error      text,                                -- of the last attempt
    source          text        not null default '',     -- the source whose event queued it; '' for other applications
    event_id        uuid,                                -- the event that queued it
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now()
);
create index email_queue_due on email_queue (next_attempt_at) where status in ('pending', 'sending');

-- The document's own names for the ledger. A body that is no JSON is shown as {"raw": …}.
create view webhook_event as
select e.id, e.kind as event_type, e.source, body_as_json(e.body) as payload, e.received_at, s.status::text as status,
    e.key as idempotency_key
from event e join event_state s using (id);

-- One row an attempt at processing.
create view processed_event as
select a.event_id::text || '/' || a.attempt as id, a.event_id as webhook_event_id, e.kind as normalized_type,
    jsonb_build_object('source', e.source, 'tenant', e.tenant, 'subject', e.subject,
        'occurred_at', coalesce(e.occurred_at, e.received_at), 'data', body_as_json(e.body)) as normalized_data,
    a.started_at + a.micros * interval '1 microsecond' as processed_at, a.outcome as status,
    a.error->>'message' as error_message
from attempt a join event e on e.id = a.event_id;
