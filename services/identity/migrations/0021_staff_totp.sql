-- The second factor of staff: a random seed, of which with identity's own key the secret of the app is made, and
-- the step of the last code that was used. Without a step the app is not set up yet.

ALTER TABLE staff ADD COLUMN totp_seed bytea, ADD COLUMN totp_last_step bigint;
ALTER TABLE staff ADD CONSTRAINT staff_totp_whole CHECK (totp_last_step IS NULL OR totp_seed IS NOT NULL);
