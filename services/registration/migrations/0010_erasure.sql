-- What is erased on request, and photos that could not be deleted, which wait while others go.

ALTER TABLE registrations ADD COLUMN erased_at timestamptz;

CREATE TABLE erasures (
    request_id   uuid PRIMARY KEY,          -- of identity
    account_id   uuid NOT NULL,
    erased_at    timestamptz NOT NULL,
    photos       integer NOT NULL,
    applications integer NOT NULL,
    drafts       integer NOT NULL
);

ALTER TABLE photo_objects
    ADD COLUMN failures integer NOT NULL DEFAULT 0,
    ADD COLUMN retry_at timestamptz;        -- null: as soon as its time has come
