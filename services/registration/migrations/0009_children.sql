-- Who registers a child, and gets its messages.

ALTER TABLE registrations ADD COLUMN guardian jsonb;
