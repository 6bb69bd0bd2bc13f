-- A guardianship that an officer ended: valid_until is that moment from then on, which every replica heeds.

ALTER TABLE guardianships
    ADD COLUMN end_reason text CHECK (end_reason IN ('came_of_age', 'custody_changed', 'confirmed_in_error')),
    ADD COLUMN end_note   text,
    ADD COLUMN ended_by   uuid REFERENCES staff (id);
