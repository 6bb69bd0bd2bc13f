-- The desk: who works on a case, what the citizen was asked for, who confirmed first where two officers have to;
-- and a search of the archive by whole words: names, numbers, phones.

ALTER TABLE cases ADD COLUMN claimed_by uuid REFERENCES staff (id);
ALTER TABLE cases ADD COLUMN claimed_until timestamptz;
ALTER TABLE cases ADD COLUMN supplement jsonb;
ALTER TABLE cases ADD COLUMN photos_at timestamptz;         -- of those sent after the submission
ALTER TABLE cases ADD COLUMN first_confirmed_by uuid REFERENCES staff (id);
ALTER TABLE cases ADD CONSTRAINT cases_claimed_whole CHECK ((claimed_by IS NULL) = (claimed_until IS NULL));

CREATE INDEX cases_words ON cases USING gin (string_to_array(agency_code || ' ' || search_text, ' '));
