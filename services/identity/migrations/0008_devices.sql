-- Devices, and the refresh tokens of the sessions on them: hashes only.

CREATE TABLE devices (
    id            uuid PRIMARY KEY,
    account_id    uuid NOT NULL REFERENCES accounts (id),
    name          text NOT NULL,
    token_hash    bytea NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL
);
CREATE INDEX devices_of_account ON devices (account_id);

-- A session of before has no device and no refresh token, and lasts as long as its access token.
ALTER TABLE sessions
    ADD COLUMN device_id     uuid REFERENCES devices (id) ON DELETE SET NULL,
    ADD COLUMN refresh_hash  bytea,
    ADD COLUMN former_hashes bytea[] NOT NULL DEFAULT '{}',
    ADD COLUMN refreshed_at  timestamptz;
CREATE INDEX sessions_of_device ON sessions (device_id) WHERE device_id IS NOT NULL;
