-- So that counting the jobs that were given up does not read all others.

CREATE INDEX jobs_given_up ON jobs (kind, failed_at) WHERE failed_at IS NOT NULL;
