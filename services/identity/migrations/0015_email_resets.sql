-- Resets of passwords by e-mail: every asking, whether it means an account or not; forgotten after two days.

CREATE TABLE email_resets (
    id          uuid PRIMARY KEY,
    asked_at    timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    user_name   text,                       -- what was typed, until it was looked up
    email       text,                       -- the same
    email_given boolean NOT NULL,
    account_id  uuid REFERENCES accounts (id),
    keyed_hash  text,                       -- of the code; null: none was sent
    tries_left  integer NOT NULL,
    used_at     timestamptz
);
CREATE INDEX email_resets_of_account ON email_resets (account_id, asked_at) WHERE account_id IS NOT NULL;
