-- An account keeps its phone and numbers for life, and its person may register again: each value is held once by
-- an open application and once by an account. Code and personal number are aliases: both are held.

CREATE TABLE claimed (
    value           text NOT NULL,      -- a phone in E.164, a BHXH code or a personal number
    verified        boolean NOT NULL,   -- whether an account holds it, or an application that is not decided
    registration_id uuid NOT NULL REFERENCES registrations (id),
    CONSTRAINT claimed_once PRIMARY KEY (value, verified)
);
CREATE INDEX claimed_of_registration ON claimed (registration_id);

-- The table before, which the version before goes on writing while it is being replaced; not read any more.
INSERT INTO claimed (value, verified, registration_id)
SELECT held.value, r.status IN ('verified', 'completed'), r.id
FROM claims c
JOIN registrations r ON r.id = c.registration_id
CROSS JOIN LATERAL (
    VALUES (c.phone), (c.code),
           (CASE WHEN r.declaration->'document'->>'kind' = 'cccd' THEN r.declaration->'document'->>'number' END)
) AS held (value)
WHERE held.value IS NOT NULL
ON CONFLICT DO NOTHING;
