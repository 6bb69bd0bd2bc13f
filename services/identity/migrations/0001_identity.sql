-- Who somebody is (register checks, cases, people) and how the person proves it (accounts, credentials,
-- sessions), and what staff read and did.

-- Every question to the population register, written before it is asked. Nothing of the person.
CREATE TABLE register_checks (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id      uuid NOT NULL,
    registration_id uuid NOT NULL,
    purpose         text NOT NULL,
    asker           text NOT NULL,
    asked_at        timestamptz NOT NULL,
    outcome         text,                       -- null: no answer was recorded
    mismatched      text[] NOT NULL DEFAULT '{}',
    answered_at     timestamptz
);
CREATE INDEX register_checks_request ON register_checks (request_id);
CREATE INDEX register_checks_registration ON register_checks (registration_id);

CREATE TABLE cases (
    id                 uuid PRIMARY KEY,
    registration_id    uuid NOT NULL,
    declaration_number text NOT NULL,
    agency_code        text NOT NULL,
    applicant          jsonb NOT NULL,
    photos             jsonb NOT NULL,
    warnings           text[] NOT NULL,
    register_outcome   text NOT NULL,
    mismatched         text[] NOT NULL,
    deadline           timestamptz NOT NULL,
    language           text NOT NULL,
    search_text        text NOT NULL,
    opened_at          timestamptz NOT NULL,
    status             text NOT NULL DEFAULT 'waiting'
                       CHECK (status IN ('waiting', 'verified', 'rejected', 'closed')),
    ended_at           timestamptz,
    ended_by           uuid,                    -- staff; null when closed on request or verified once before
    reason             text,
    CONSTRAINT cases_registration UNIQUE (registration_id),
    CONSTRAINT cases_one_ending CHECK ((status = 'waiting') = (ended_at IS NULL))
);
CREATE INDEX cases_of_agency ON cases (agency_code, status, opened_at, id);

-- A request to close that came before its case: events keep no order.
CREATE TABLE close_requests (
    registration_id uuid PRIMARY KEY,
    reason          text NOT NULL,
    requested_at    timestamptz NOT NULL
);

-- Verified people. Each number (BHXH code, personal number) stands for one person, for life.
CREATE TABLE people (
    id          uuid PRIMARY KEY,
    applicant   jsonb NOT NULL,
    verified_at timestamptz NOT NULL
);
CREATE TABLE person_numbers (
    number    text CONSTRAINT person_numbers_one_person PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES people (id)
);
CREATE INDEX person_numbers_person ON person_numbers (person_id);

CREATE TABLE accounts (
    id          uuid PRIMARY KEY,
    person_id   uuid NOT NULL REFERENCES people (id),
    code        text NOT NULL,
    full_name   text NOT NULL,
    birth_value text NOT NULL,
    phone       text NOT NULL,
    email       text NOT NULL,
    language    text NOT NULL,
    opened_at   timestamptz NOT NULL,
    CONSTRAINT accounts_one_per_person UNIQUE (person_id)
);

CREATE TABLE credentials (
    id            uuid PRIMARY KEY,
    account_id    uuid NOT NULL REFERENCES accounts (id),
    cause         text NOT NULL,                -- the registration it was issued for, the session it was set in
    state         text NOT NULL CHECK (state IN ('issued', 'active', 'ended')),
    password_hash text NOT NULL,
    made_at       timestamptz NOT NULL,
    valid_until   timestamptz,                  -- of an issued one
    ended_at      timestamptz,
    delivery      text CHECK (delivery IN ('sent', 'delivered', 'failed')),
    CONSTRAINT credentials_one_per_cause UNIQUE (account_id, cause)
);
CREATE UNIQUE INDEX credentials_one_issued ON credentials (account_id) WHERE state = 'issued';
CREATE UNIQUE INDEX credentials_one_active ON credentials (account_id) WHERE state = 'active';

CREATE TABLE sessions (
    id         uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id),
    scope      text NOT NULL CHECK (scope IN ('citizen', 'password_change')),
    started_at timestamptz NOT NULL,
    ended_at   timestamptz
);
CREATE INDEX sessions_live ON sessions (account_id) WHERE ended_at IS NULL;

CREATE TABLE staff (
    id            uuid PRIMARY KEY,
    user_name     text NOT NULL,
    display_name  text NOT NULL,
    agency_code   text NOT NULL,
    password_hash text NOT NULL,
    active        boolean NOT NULL DEFAULT true,
    created_at    timestamptz NOT NULL,
    CONSTRAINT staff_user_name UNIQUE (user_name)
);
CREATE TABLE staff_sessions (
    token_hash bytea PRIMARY KEY,
    staff_id   uuid NOT NULL REFERENCES staff (id),
    started_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX staff_sessions_expired ON staff_sessions (expires_at);

-- What staff read and did. Rows are only ever added.
CREATE TABLE audit (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL,
    staff_id uuid NOT NULL REFERENCES staff (id),
    action   text NOT NULL,
    case_id  uuid,
    details  jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_of_case ON audit (case_id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is only ever added to' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
