-- transactional: false
-- Drafts that were cancelled are deleted as those that were left. Built beside the running service; a build that was
-- cut short leaves an index that is not valid, which goes first.

DROP INDEX CONCURRENTLY IF EXISTS registrations_cancelled_drafts;
CREATE INDEX CONCURRENTLY registrations_cancelled_drafts ON registrations (changed_at)
    WHERE status = 'cancelled' AND submitted_at IS NULL;
