-- Since when an account has another phone or e-mail than at first: what failed to arrive before does not count there.

ALTER TABLE accounts ADD COLUMN contact_since timestamptz;
