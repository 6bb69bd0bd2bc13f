-- Cases that lost what was personal, on request of whom they were about.

ALTER TABLE cases ADD COLUMN erased_at timestamptz;
CREATE UNIQUE INDEX person_requests_one_erasure ON person_requests (account_id)
    WHERE state = 'open' AND kind = 'erasure';
