-- Whose records a guardian may look up, as identity has told.

CREATE TABLE guardianships (
    account_id   uuid NOT NULL,               -- the guardian's
    child_id     uuid NOT NULL,               -- the child's person
    code         text NOT NULL,               -- the child's
    valid_until  timestamptz NOT NULL,
    confirmed_at timestamptz NOT NULL,
    CONSTRAINT guardianships_once PRIMARY KEY (account_id, child_id)
);
