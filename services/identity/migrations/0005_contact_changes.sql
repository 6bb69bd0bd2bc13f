-- Changes of contact at the desk: written down before the phone is claimed at registration.

CREATE TABLE contact_changes (
    id         uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id),
    staff_id   uuid NOT NULL REFERENCES staff (id),
    phone      text NOT NULL,
    email      text NOT NULL,
    reason     text NOT NULL,
    asked_at   timestamptz NOT NULL,
    state      text NOT NULL CHECK (state IN ('pending', 'changed', 'refused')),
    ended_at   timestamptz
);
CREATE UNIQUE INDEX contact_changes_pending ON contact_changes (account_id) WHERE state = 'pending';
