-- What people asked about their own data, and the one answer that each got.

CREATE TABLE person_requests (
    id          uuid PRIMARY KEY,
    account_id  uuid NOT NULL REFERENCES accounts (id),
    agency_code text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('export', 'correction', 'erasure', 'withdrawal')),
    asked_at    timestamptz NOT NULL,
    due_at      timestamptz NOT NULL,
    wanted      jsonb NOT NULL,
    state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'granted', 'refused')),
    answer      text,
    answered_at timestamptz,
    answered_by uuid REFERENCES staff (id),     -- null: answered at once
    CONSTRAINT person_requests_one_answer CHECK ((state = 'open') = (answered_at IS NULL))
);
CREATE INDEX person_requests_of_account ON person_requests (account_id, asked_at);
CREATE INDEX person_requests_open ON person_requests (agency_code, due_at, id) WHERE state = 'open';
CREATE UNIQUE INDEX person_requests_one_correction ON person_requests (account_id)
    WHERE state = 'open' AND kind = 'correction';
