-- Children: who registers them, and whom an officer has confirmed as their guardian.

ALTER TABLE cases ADD COLUMN guardian jsonb;

CREATE TABLE guardianships (
    account_id      uuid NOT NULL REFERENCES accounts (id),    -- the guardian's
    child_person_id uuid NOT NULL REFERENCES people (id),
    relation        text NOT NULL CHECK (relation IN ('parent', 'guardian')),
    confirmed_by    uuid NOT NULL REFERENCES staff (id),
    confirmed_at    timestamptz NOT NULL,
    valid_until     timestamptz NOT NULL,                      -- the child comes of age
    CONSTRAINT guardianships_once PRIMARY KEY (account_id, child_person_id)
);
CREATE INDEX guardianships_of_child ON guardianships (child_person_id);
