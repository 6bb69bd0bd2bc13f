-- What an officer asked a citizen for, and the photos taken for it.

ALTER TABLE registrations ADD COLUMN supplement jsonb;
