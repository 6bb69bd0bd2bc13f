-- transactional: false
-- So that the oldest rows are found without reading the table. The BRIN indexes before them were not chosen:
-- where little is old, PostgreSQL read all of it instead. Built beside the running service; a build that was
-- cut short leaves an index that is not valid, which goes first.

DROP INDEX CONCURRENTLY IF EXISTS inbox_oldest;
CREATE INDEX CONCURRENTLY inbox_oldest ON inbox (handled_at);
DROP INDEX CONCURRENTLY IF EXISTS idempotency_oldest;
CREATE INDEX CONCURRENTLY idempotency_oldest ON idempotency (created_at);
DROP INDEX CONCURRENTLY IF EXISTS inbox_handled_at;
DROP INDEX CONCURRENTLY IF EXISTS idempotency_created_at;
