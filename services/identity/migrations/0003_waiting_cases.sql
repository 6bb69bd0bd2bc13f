-- For operators: how long the oldest case has waited, and the trace of the submission, which goes on when the case ends.

CREATE INDEX cases_waiting ON cases (opened_at) WHERE status = 'waiting';
ALTER TABLE cases ADD COLUMN traceparent text;
