-- Where a forwarded event has arrived. With several destinations, a later attempt leaves these out.
create table forward_delivery (
    event_id     uuid        not null,
    destination  text        not null,             -- first 16 hex digits of SHA-256 over the URL
    status       smallint    not null,             -- what it answered
    delivered_at timestamptz not null,
    primary key (event_id, destination)
) partition by range (event_id);
