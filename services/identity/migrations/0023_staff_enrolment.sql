-- The code with which a member of staff may set up an authenticator app: its hash, until the app is set up, and
-- until when it is good. It was handed over by an operator, once.

ALTER TABLE staff ADD COLUMN enrolment_hash bytea, ADD COLUMN enrolment_until timestamptz;
ALTER TABLE staff ADD CONSTRAINT staff_enrolment_whole CHECK ((enrolment_hash IS NULL) = (enrolment_until IS NULL));
