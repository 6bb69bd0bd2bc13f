-- transactional: false
-- A guardianship that an officer ended: valid_until is that moment from then on, which every replica heeds. And
-- what a guardian registered is found by the account. Built beside the running service; a build that was cut short
-- leaves an index that is not valid, which goes first.

ALTER TABLE guardianships
    ADD COLUMN IF NOT EXISTS end_reason text
        CHECK (end_reason IN ('came_of_age', 'custody_changed', 'confirmed_in_error')),
    ADD COLUMN IF NOT EXISTS end_note   text,
    ADD COLUMN IF NOT EXISTS ended_by   uuid REFERENCES staff (id);
DROP INDEX CONCURRENTLY IF EXISTS cases_by_guardian;
CREATE INDEX CONCURRENTLY cases_by_guardian ON cases ((guardian ->> 'account_id')) WHERE guardian IS NOT NULL;
