-- transactional: false
-- Log-ins of one account are handed to their holder. Built beside the running service; a build that was cut short
-- leaves an index that is not valid, which goes first.

DROP INDEX CONCURRENTLY IF EXISTS sessions_of_account;
CREATE INDEX CONCURRENTLY sessions_of_account ON sessions (account_id, started_at);
