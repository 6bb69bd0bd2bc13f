-- Every photo in the object store, why it is kept and since when; and the proof of each that was deleted.

CREATE TABLE photo_objects (
    ref             text PRIMARY KEY,
    registration_id uuid,              -- none for what no registration knows
    sha256          text,              -- of the photo; of what lies in the store where no registration knows it
    reason          text NOT NULL,
    since           timestamptz NOT NULL
);
CREATE INDEX photo_objects_due ON photo_objects (reason, since) WHERE reason NOT IN ('draft', 'open');
CREATE INDEX photo_objects_of_registration ON photo_objects (registration_id);

CREATE TABLE photo_deletions (
    ref             text PRIMARY KEY,
    registration_id uuid,
    sha256          text,
    reason          text NOT NULL,
    since           timestamptz NOT NULL,
    deleted_at      timestamptz NOT NULL,
    deleted_by      text NOT NULL
);
CREATE INDEX photo_deletions_of_registration ON photo_deletions (registration_id);

INSERT INTO photo_objects (ref, registration_id, sha256, reason, since)
SELECT photo->>'ref', r.id, photo->>'sha256',
       CASE WHEN r.status = 'draft' THEN 'draft'
            WHEN r.status IN ('verified', 'completed') THEN 'verified'
            WHEN r.status IN ('rejected', 'expired', 'cancelled') THEN 'closed'
            ELSE 'open' END,
       r.changed_at
FROM registrations r, jsonb_array_elements(r.photos || coalesce(r.supplement->'photos', '[]')) AS photo
ON CONFLICT DO NOTHING;
INSERT INTO photo_objects (ref, registration_id, sha256, reason, since)
SELECT photo->>'ref', r.id, photo->>'sha256', 'replaced', r.changed_at
FROM registrations r, jsonb_array_elements(r.supplement->'replaced') AS photo
ON CONFLICT DO NOTHING;

INSERT INTO jobs (kind, key, due_at)
VALUES ('delete_photos', 'photos', now()), ('find_orphans', 'quarantine', now()), ('find_orphans', 'photos', now());
