-- transactional: false
-- When and where somebody was logged in is forgotten, oldest first. Built beside the running service; a build that was cut
-- short leaves an index that is not valid, which goes first.

DROP INDEX CONCURRENTLY IF EXISTS sessions_oldest;
CREATE INDEX CONCURRENTLY sessions_oldest ON sessions (started_at);
DROP INDEX CONCURRENTLY IF EXISTS devices_unseen;
CREATE INDEX CONCURRENTLY devices_unseen ON devices (last_seen_at);
INSERT INTO jobs (kind, key, due_at) VALUES ('forget_sessions', 'sessions', now()) ON CONFLICT DO NOTHING;
