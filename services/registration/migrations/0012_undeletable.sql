-- transactional: false
-- For operators, who see how many photos could not be deleted. Built beside the running service; a build that was cut
-- short leaves an index that is not valid, which goes first.

DROP INDEX CONCURRENTLY IF EXISTS photo_objects_failing;
CREATE INDEX CONCURRENTLY photo_objects_failing ON photo_objects (retry_at) WHERE failures > 0;
