-- Goes into `common/migrations/`, as the next number: `V20__workshop.sql`.
create table workshop_order (
    source    text        not null,
    order_id  text        not null,
    customer  text        not null,
    cents     bigint      not null,
    paid_at   timestamptz,
    shipped   boolean     not null default false,
    versions  jsonb       not null default '{}',  -- kept by the applier: who wrote each column last
    primary key (source, order_id)
);
