-- Messages, the attempts to send them, and what the SMSC reports of their parts.

CREATE TABLE message (
    id              uuid PRIMARY KEY,
    cause_event_id  uuid NOT NULL,
    channel         text NOT NULL CHECK (channel IN ('sms', 'email')),
    purpose         text NOT NULL,
    recipient       text NOT NULL,
    language        text NOT NULL CHECK (language IN ('vi', 'en')),
    facts           jsonb NOT NULL,
    sealed_secret   text,                       -- a sealed box; erased once the message is settled
    valid_until     timestamptz,
    registration_id uuid,
    credential_id   uuid,
    account_id      uuid,
    state           text NOT NULL DEFAULT 'waiting'
                    CHECK (state IN ('waiting', 'sending', 'unknown', 'sent', 'delivered', 'failed')),
    reason          text,
    attempts        integer NOT NULL DEFAULT 0,
    written_at      timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL,
    CONSTRAINT one_message_per_cause UNIQUE (cause_event_id, channel, purpose)
);
CREATE INDEX message_registration_id ON message (registration_id) WHERE registration_id IS NOT NULL;
CREATE INDEX message_open ON message (recipient) WHERE state IN ('sending', 'unknown');

CREATE TABLE attempt (
    message_id uuid NOT NULL REFERENCES message ON DELETE CASCADE,
    number     integer NOT NULL,
    begun_at   timestamptz NOT NULL,
    ended_at   timestamptz,
    outcome    text NOT NULL DEFAULT 'sending' CHECK (outcome IN ('sending', 'sent', 'declined', 'unknown')),
    reason     text,
    PRIMARY KEY (message_id, number)
);

-- One row per part that the provider took or reported on. Whichever comes first, our record of the
-- submission or the receipt, makes the row; the other completes it, and so they cannot miss each other.
CREATE TABLE part (
    provider_id text PRIMARY KEY,
    message_id  uuid REFERENCES message ON DELETE CASCADE,
    phone       text,
    delivered   boolean,
    reason      text,
    received_at timestamptz
);
CREATE INDEX part_message_id ON part (message_id);
CREATE INDEX part_stray ON part (phone, received_at) WHERE message_id IS NULL;
