-- transactional: false
-- What a guardian registered is found by the account. Built beside the running service; a build that was cut short
-- leaves an index that is not valid, which goes first.

DROP INDEX CONCURRENTLY IF EXISTS cases_by_guardian;
CREATE INDEX CONCURRENTLY cases_by_guardian ON cases ((guardian ->> 'account_id')) WHERE guardian IS NOT NULL;
