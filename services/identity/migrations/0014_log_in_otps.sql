-- The code by SMS that a log-in with a voice password from an unknown device needs besides: hashes only.

CREATE TABLE log_in_otps (
    id            uuid PRIMARY KEY,
    account_id    uuid NOT NULL REFERENCES accounts (id),
    credential_id uuid NOT NULL REFERENCES credentials (id),
    token_hash    bytea NOT NULL,
    keyed_hash    text NOT NULL,
    valid_until   timestamptz NOT NULL,
    tries_left    integer NOT NULL
);
CREATE INDEX log_in_otps_old ON log_in_otps (valid_until);
