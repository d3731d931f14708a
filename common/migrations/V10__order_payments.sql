-- What payments say of orders is kept with the payment, and an order is a view of its payments: whichever of the
-- payment's confirmation, its refund and the news which order it is for comes first, the order is the same in the end.
-- A worker of the version before waits with Stripe's events until it is replaced (no attempt is counted).

lock table "order" in access exclusive mode;

create table order_payment (
    source               text        not null,
    account              text        not null,           -- Stripe Connect: the connected account; '' for one's own
    payment_id           text        not null,           -- pi_…; ch_… or cs_… where there is no payment intent
    order_id             text,                           -- the order that it is for; null: nobody has said, it is one itself
    amount               bigint,                         -- what is asked for
    currency             text,                           -- ISO 4217, lower case
    customer_id          text,                           -- cus_…
    customer_email       text,
    payment_intent_id    text,
    created_at           timestamptz,                    -- when the payment was begun
    updated_at           timestamptz,                    -- the newest event about it
    processing_at        timestamptz,                    -- a payment that takes days is under way
    payment_failed_at    timestamptz,
    failure              text,                           -- why it failed: Stripe's code and words
    canceled_at          timestamptz,
    cancel_reason        text,                           -- Stripe's word
    expired_at           timestamptz,                    -- the checkout was left
    confirmed_at         timestamptz,                    -- the payment succeeded
    amount_paid          bigint,
    paid_by              text,                           -- the payment intent (or charge, or session) that succeeded
    amount_refunded      bigint,                         -- in total, as its charge said last
    supplier_id          text,                           -- chosen at confirmation, or later by a worker; null: none was free
    supplier_assigned_at timestamptz,
    versions             jsonb       not null default '{}', -- column to the version of its value
    primary key (source, account, payment_id)
);

-- Orders first, each under the payment that paid it or that it waits for; then what was kept under a payment's name.
insert into order_payment
select source, account, coalesce(paid_by, payment_intent_id), order_id, amount, currency, customer_id, customer_email,
    payment_intent_id, created_at, updated_at, processing_at, payment_failed_at, failure, canceled_at, cancel_reason,
    expired_at, confirmed_at, amount_paid, paid_by, amount_refunded, supplier_id, supplier_assigned_at,
    versions - 'merged_into'
from "order" where merged_into is null and order_id <> coalesce(paid_by, payment_intent_id)
on conflict do nothing;

insert into order_payment as cur
select source, account, order_id, merged_into, amount, currency, customer_id, customer_email,
    payment_intent_id, created_at, updated_at, processing_at, payment_failed_at, failure, canceled_at, cancel_reason,
    expired_at, confirmed_at, amount_paid, paid_by, amount_refunded, supplier_id, supplier_assigned_at,
    versions - 'merged_into'
from "order" where merged_into is not null or order_id = coalesce(paid_by, payment_intent_id, order_id)
on conflict (source, account, payment_id) do update set
    order_id = coalesce(cur.order_id, excluded.order_id),
    amount_refunded = coalesce(cur.amount_refunded, excluded.amount_refunded),
    versions = excluded.versions || cur.versions;

drop table "order";

create index order_payment_order on order_payment (source, account, (coalesce(order_id, payment_id)));
create index order_payment_supplier on order_payment (supplier_id, supplier_assigned_at);
create index order_payment_waiting on order_payment (confirmed_at) where confirmed_at is not null and supplier_id is null;
create index stripe_refund_failed on stripe_refund (source, (coalesce(payment_intent_id, charge_id)))
    where status in ('failed', 'canceled');

-- Per column what was said last, whichever payment it was said of; money is added up over the payments; the supplier is
-- the first that was chosen. A refund that fails is not always followed by a word about its charge: what the charge said
-- before is less by that much. Refunds of a payment that nobody has called an order's (an invoice's) make none.
create view "order" as
select o.*, case
        when confirmed_at is not null and amount_refunded > 0 and amount_refunded >= coalesce(amount_paid, amount, 0) then 'refunded'
        when confirmed_at is not null and amount_refunded > 0 then 'partially_refunded'
        when confirmed_at is not null then 'confirmed'
        when greatest(canceled_at, expired_at, payment_failed_at, processing_at) is null then 'pending'
        when canceled_at = greatest(canceled_at, expired_at, payment_failed_at, processing_at) then 'canceled'
        when expired_at = greatest(expired_at, payment_failed_at, processing_at) then 'expired'
        when payment_failed_at = greatest(payment_failed_at, processing_at) then 'payment_failed'
        else 'processing' end as status
from (
    select p.source, p.account, coalesce(p.order_id, p.payment_id) as order_id,
        (array_agg(p.amount order by (p.versions->>'amount') collate "C" desc nulls last))[1] as amount,
        (array_agg(p.currency order by (p.versions->>'currency') collate "C" desc nulls last))[1] as currency,
        (array_agg(p.customer_id order by (p.versions->>'customer_id') collate "C" desc nulls last))[1] as customer_id,
        (array_agg(p.customer_email order by (p.versions->>'customer_email') collate "C" desc nulls last))[1] as customer_email,
        (array_agg(p.payment_intent_id order by (p.versions->>'payment_intent_id') collate "C" desc nulls last))[1] as payment_intent_id,
        (array_agg(p.created_at order by (p.versions->>'created_at') collate "C" desc nulls last))[1] as created_at,
        max(p.updated_at) as updated_at,
        max(p.processing_at) as processing_at,
        max(p.payment_failed_at) as payment_failed_at,
        (array_agg(p.failure order by (p.versions->>'failure') collate "C" desc nulls last))[1] as failure,
        max(p.canceled_at) as canceled_at,
        (array_agg(p.cancel_reason order by (p.versions->>'cancel_reason') collate "C" desc nulls last))[1] as cancel_reason,
        max(p.expired_at) as expired_at,
        max(p.confirmed_at) as confirmed_at,
        sum(p.amount_paid)::bigint as amount_paid,
        (array_agg(p.paid_by order by (p.versions->>'paid_by') collate "C" desc nulls last))[1] as paid_by,
        (sum(greatest(p.amount_refunded - coalesce(failed.amount, 0), 0))
            filter (where p.amount_refunded is not null))::bigint as amount_refunded,
        (array_agg(p.supplier_id order by p.supplier_assigned_at, p.payment_id)
            filter (where p.supplier_id is not null))[1] as supplier_id,
        min(p.supplier_assigned_at) as supplier_assigned_at
    from order_payment p
    left join lateral (
        select sum(r.amount) as amount from stripe_refund r
        where r.source = p.source and coalesce(r.payment_intent_id, r.charge_id) = p.payment_id
            and r.status in ('failed', 'canceled')
            and (r.versions->>'status') collate "C" > (p.versions->>'amount_refunded') collate "C"
    ) failed on p.amount_refunded > 0
    group by p.source, p.account, coalesce(p.order_id, p.payment_id)
    having bool_or(p.order_id is not null or p.amount_refunded is null or coalesce(p.confirmed_at, p.processing_at,
        p.payment_failed_at, p.canceled_at, p.expired_at) is not null)
) o;

-- A line of history keeps the order's name that its event knew, else its payment's.
alter table order_history add column payment_id text;

-- The same under the name that the order has by now.
create view order_timeline as
select h.source, h.account, coalesce(p.order_id, h.order_id) as order_id, h.payment_id, h.change, h.at, h.amount,
    h.currency, h.detail, h.event_id
from order_history h left join order_payment p
    on p.source = h.source and p.account = h.account and p.payment_id = coalesce(h.payment_id, h.order_id);
