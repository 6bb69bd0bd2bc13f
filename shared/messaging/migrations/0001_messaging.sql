-- What the messaging kit keeps in each service's own database.

CREATE TABLE outbox (
    id         uuid PRIMARY KEY,
    type       text NOT NULL,
    headers    jsonb NOT NULL,
    body       bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    due_at     timestamptz NOT NULL            -- from here on the sweeper may take it
);
CREATE INDEX outbox_due_at ON outbox (due_at);

CREATE TABLE inbox (
    listener   text NOT NULL,
    event_id   uuid NOT NULL,
    handled_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (listener, event_id)
);
CREATE INDEX inbox_handled_at ON inbox USING brin (handled_at);

CREATE TABLE jobs (
    kind        text NOT NULL,
    key         text NOT NULL,
    payload     jsonb NOT NULL DEFAULT '{}',
    due_at      timestamptz NOT NULL,          -- while leased: when the lease ends
    lease       uuid,                          -- whoever holds it may record the result
    attempts    integer NOT NULL DEFAULT 0,
    last_error  text,                          -- the error's name, never its text
    failed_at   timestamptz,                   -- given up; stays until an operator acts
    traceparent text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, key)
);
CREATE INDEX jobs_due_at ON jobs (kind, due_at) WHERE failed_at IS NULL;

CREATE TABLE idempotency (
    method       text NOT NULL,
    key          text NOT NULL,
    request_hash bytea NOT NULL,
    reply        json,                          -- as it was given, key order included
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (method, key)
);
CREATE INDEX idempotency_created_at ON idempotency USING brin (created_at);
