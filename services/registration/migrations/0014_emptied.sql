-- Of each application that lost what was personal: why, since when it had ended, and when that was.

CREATE TABLE emptied_applications (
    registration_id uuid PRIMARY KEY,
    reason          text NOT NULL,          -- its time was over, or its person asked for it
    ended_at        timestamptz NOT NULL,
    emptied_at      timestamptz NOT NULL
);
