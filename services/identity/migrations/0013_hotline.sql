-- The hotline: public keys of the voice platform, the nonces of its requests, and passwords that are read aloud.

CREATE TABLE hotline_keys (
    id          text PRIMARY KEY,               -- what requests name as keyid
    client      text NOT NULL,                  -- whose it is: a platform has two while it changes its key
    public_key  text NOT NULL,                  -- Ed25519, PEM
    added_at    timestamptz NOT NULL,
    disabled_at timestamptz
);

-- A request is good once: its nonce is kept for as long as its signature could be accepted.
CREATE TABLE hotline_nonces (
    key_id     text NOT NULL REFERENCES hotline_keys (id),
    nonce      text NOT NULL,
    kept_until timestamptz NOT NULL,
    CONSTRAINT hotline_nonces_once PRIMARY KEY (key_id, nonce)
);
CREATE INDEX hotline_nonces_old ON hotline_nonces (kept_until);

-- Why a password was issued and how it travelled. Null: the citizen's own, or one for a registration, by SMS.
ALTER TABLE credentials ADD COLUMN reason text, ADD COLUMN channel text;
