-- For operators, who see every quarter of a minute how many applications are under way.

CREATE INDEX registrations_open ON registrations (status, submitted_at)
    WHERE status IN ('draft', 'submitted', 'awaiting_visit', 'supplement_requested', 'verified');
