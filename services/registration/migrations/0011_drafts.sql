-- transactional: false
-- What was never submitted is found by its person's numbers, and when it was left. Built beside the running service; a
-- build that was cut short leaves an index that is not valid, which goes first.

DROP INDEX CONCURRENTLY IF EXISTS registrations_unsubmitted_code;
CREATE INDEX CONCURRENTLY registrations_unsubmitted_code ON registrations ((declaration ->> 'code'))
    WHERE submitted_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS registrations_unsubmitted_document;
CREATE INDEX CONCURRENTLY registrations_unsubmitted_document ON registrations ((declaration -> 'document' ->> 'number'))
    WHERE submitted_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS registrations_drafts;
CREATE INDEX CONCURRENTLY registrations_drafts ON registrations (changed_at) WHERE status = 'draft';
