-- transactional: false
-- Applications that came to nothing are emptied when their time is over, oldest first. Built beside the running service;
-- a build that was cut short leaves an index that is not valid, which goes first.

DROP INDEX CONCURRENTLY IF EXISTS registrations_over;
CREATE INDEX CONCURRENTLY registrations_over ON registrations (changed_at)
    WHERE status IN ('rejected', 'expired', 'cancelled') AND submitted_at IS NOT NULL AND erased_at IS NULL;
INSERT INTO jobs (kind, key, due_at) VALUES ('empty_applications', 'applications', now()) ON CONFLICT DO NOTHING;
