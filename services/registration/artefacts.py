"""What registration keeps for a time only: photos, each with why and since when, the proofs of those that
were deleted, and what was erased on request. A part of ``storage.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from services.registration.domain import Registration
from services.registration.retention import Emptied, Erasure, Kept, Reason, Why, photos_of
from shared.database import Transaction

NOTE_PHOTOS = """
WITH retaken AS (
    UPDATE photo_objects SET reason = 'retaken', since = now()
    WHERE registration_id = %(id)s AND ref <> ALL(%(refs)s) AND reason <> 'retaken'
)
INSERT INTO photo_objects AS known (ref, registration_id, sha256, reason, since)
SELECT ref, %(id)s, sha256, reason, since
FROM unnest(%(refs)s::text[], %(hashes)s::text[], %(reasons)s::text[], %(sinces)s::timestamptz[])
     AS kept (ref, sha256, reason, since)
ON CONFLICT (ref) DO UPDATE
SET registration_id = excluded.registration_id, sha256 = excluded.sha256, reason = excluded.reason,
    since = excluded.since
WHERE known.reason <> excluded.reason
"""
PHOTOS_DUE = """
SELECT ref, coalesce(sha256, '') AS sha256, photo_objects.reason, since
FROM photo_objects
JOIN unnest(%(reasons)s::text[], %(moments)s::timestamptz[]) AS rule (reason, moment)
  ON photo_objects.reason = rule.reason AND since <= moment
WHERE photo_objects.reason NOT IN ('draft', 'open') AND (retry_at IS NULL OR retry_at <= %(now)s)
ORDER BY since LIMIT %(limit)s
"""
DELETE_ABANDONED = """
WITH abandoned AS (
    SELECT id FROM registrations
    WHERE (status = 'draft' OR status = 'cancelled' AND submitted_at IS NULL) AND changed_at <= %(before)s
    ORDER BY changed_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), due AS (
    UPDATE photo_objects SET reason = 'abandoned', since = %(at)s
    WHERE registration_id IN (SELECT id FROM abandoned) AND reason IN ('draft', 'closed')
)
DELETE FROM registrations WHERE id IN (SELECT id FROM abandoned)
"""
PUT_OFF = """
UPDATE photo_objects
SET failures = failures + 1,
    retry_at = %(at)s + least(interval '1 day', interval '1 minute' * 2 ^ least(failures, 11))
WHERE ref = ANY(%(refs)s)
"""
UNDELETABLE = """
SELECT count(*) AS rows FROM (SELECT FROM photo_objects WHERE failures > 0 LIMIT 10000) AS first_rows
"""
PROVE_DELETED = """
WITH gone AS (
    DELETE FROM photo_objects WHERE ref = ANY(%(refs)s) RETURNING ref, registration_id, sha256, reason, since
)
INSERT INTO photo_deletions (ref, registration_id, sha256, reason, since, deleted_at, deleted_by)
SELECT ref, registration_id, sha256, reason, since, %(at)s, %(by)s FROM gone
ON CONFLICT (ref) DO NOTHING
"""
OBJECTS_KNOWN = "SELECT ref FROM photo_objects WHERE ref = ANY(%(refs)s)"
NOTE_ORPHANS = """
INSERT INTO photo_objects (ref, sha256, reason, since)
SELECT ref, sha256, reason, since
FROM unnest(%(refs)s::text[], %(hashes)s::text[], %(reasons)s::text[], %(sinces)s::timestamptz[])
     AS found (ref, sha256, reason, since)
ON CONFLICT (ref) DO NOTHING
"""
UNSUBMITTED_OF = """
SELECT id FROM registrations
WHERE submitted_at IS NULL
  AND (declaration->>'code' = ANY(%(numbers)s) OR declaration->'document'->>'number' = ANY(%(numbers)s))
  AND declaration->'birth'->>'value' = ANY(%(births)s)
"""
UNSUBMITTED_BY = """
SELECT id FROM registrations
WHERE submitted_at IS NULL AND guardian->>'account_id' = %(account_id)s AND erased_at IS NULL
"""
PHOTOS_OF = """
SELECT count(*) AS rows FROM photo_objects WHERE registration_id = ANY(%(ids)s) AND reason <> 'erased'
"""
ADD_ERASURE = """
INSERT INTO erasures (request_id, account_id, erased_at, photos, applications, drafts)
VALUES (%(request_id)s, %(account_id)s, %(erased_at)s, %(photos)s, %(applications)s, %(drafts)s)
"""
ERASURE = """
SELECT request_id, account_id, erased_at, photos, applications, drafts FROM erasures WHERE request_id = %(id)s
"""

HOLD_ORPHANS = """
WITH found AS (DELETE FROM photo_objects WHERE reason = 'orphan')
UPDATE jobs SET due_at = now() + interval '100 years' WHERE kind = 'find_orphans' AND key = 'photos'
"""
ARE_ORPHANS_HELD = """
SELECT FROM jobs WHERE kind = 'find_orphans' AND key = 'photos' AND due_at > now() + interval '1 year'
"""
RELEASE_ORPHANS = """
UPDATE jobs SET due_at = now()
WHERE kind = 'find_orphans' AND key = 'photos' AND due_at > now() + interval '1 year'
"""
ERASURES_OF = "SELECT request_id FROM erasures WHERE request_id = ANY(%(ids)s)"
OVER = """
SELECT id FROM registrations
WHERE status IN ('rejected', 'expired', 'cancelled') AND submitted_at IS NOT NULL AND erased_at IS NULL
  AND changed_at <= %(before)s
ORDER BY changed_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
PROVE_EMPTIED = """
INSERT INTO emptied_applications (registration_id, reason, ended_at, emptied_at)
VALUES (%(registration_id)s, %(reason)s, %(ended_at)s, %(emptied_at)s)
ON CONFLICT (registration_id) DO NOTHING
"""
EMPTIED = """
SELECT registration_id, reason, ended_at, emptied_at FROM emptied_applications WHERE registration_id = %(id)s
"""


class Artefacts:
    """Inside one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx

    def note_photos(self, registration: Registration) -> None:
        """Why each photo of the registration is kept, since when; those it has no longer were retaken."""
        kept = list(photos_of(registration))
        self.tx.run(NOTE_PHOTOS, {"id": registration.id, **columns_of(kept)})

    def photos_due(self, due: Mapping[Reason, datetime], *, now: datetime, limit: int) -> list[Kept]:
        """Photos kept for each of these reasons since then or before, those that waited longest first; not
        those that were put off until later than now."""
        rules = {"reasons": list(due), "moments": list(due.values()), "now": now, "limit": limit}
        return [Kept(**{**row, "reason": Reason(row["reason"])}) for row in self.tx.all(PHOTOS_DUE, rules)]

    def delete_abandoned_drafts(self, *, before: datetime, at: datetime, limit: int) -> int:
        """Drafts that were saved last, or cancelled, before then are gone, and their photos due. One that is
        being saved just now stays. Returns how many."""
        return self.tx.run(DELETE_ABANDONED, {"before": before, "at": at, "limit": limit})

    def put_off(self, refs: Sequence[str], *, at: datetime) -> None:
        """These could not be deleted: they are tried again a minute later, then after twice as long each
        time, a day at the most, and stand in nobody's way until then."""
        self.tx.run(PUT_OFF, {"refs": list(refs), "at": at})

    def undeletable_photos(self) -> int:
        """How many could not be deleted when they were tried last, counted up to 10,000."""
        row = self.tx.one(UNDELETABLE)
        return int(row["rows"]) if row else 0

    def prove_deleted(self, refs: Sequence[str], *, at: datetime, by: str) -> None:
        """Write down, once, that these photos were deleted, when and by whom."""
        self.tx.run(PROVE_DELETED, {"refs": list(refs), "at": at, "by": by})

    def objects_known(self, refs: Sequence[str]) -> set[str]:
        """Which of these objects there is a row for."""
        return {row["ref"] for row in self.tx.all(OBJECTS_KNOWN, {"refs": list(refs)})}

    def note_orphans(self, found: Sequence[Kept]) -> None:
        """Objects that no registration knows."""
        self.tx.run(NOTE_ORPHANS, columns_of(found))

    def unsubmitted_of(self, numbers: Sequence[str], births: Sequence[str]) -> list[UUID]:
        """What was begun for somebody with one of these numbers and one of these birth dates, and never
        submitted."""
        values = {"numbers": list(numbers), "births": list(births)}
        return [row["id"] for row in self.tx.all(UNSUBMITTED_OF, values)]

    def unsubmitted_by(self, account_id: UUID) -> list[UUID]:
        """What a guardian, by the account, began for a child and never submitted; not what was erased."""
        return [row["id"] for row in self.tx.all(UNSUBMITTED_BY, {"account_id": str(account_id)})]

    def photos_kept_of(self, registration_ids: Sequence[UUID]) -> int:
        """How many photos of these are not being erased yet."""
        row = self.tx.one(PHOTOS_OF, {"ids": list(registration_ids)})
        return int(row["rows"]) if row else 0

    def add_erasure(self, erasure: Erasure) -> None:
        """What was erased on a request."""
        self.tx.run(ADD_ERASURE, asdict(erasure))

    def erasure(self, request_id: UUID) -> Erasure | None:
        """What was erased on this request, if it was."""
        row = self.tx.one(ERASURE, {"id": request_id})
        return Erasure(**row) if row else None

    def hold_orphans(self) -> None:
        """The database was put back to an earlier moment, and photos that came since are unknown to it: none
        is taken for an orphan until ``release_orphans``."""
        self.tx.run(HOLD_ORPHANS)

    def are_orphans_held(self) -> bool:
        """Whether photos that no registration knows are left alone, since a restore."""
        return self.tx.one(ARE_ORPHANS_HELD) is not None

    def release_orphans(self) -> None:
        """Every application is known again: what is unknown now is nobody's. Not held: nothing."""
        self.tx.run(RELEASE_ORPHANS)

    def erasures_of(self, request_ids: Sequence[UUID]) -> set[UUID]:
        """On which of these requests something was erased, or looked for."""
        return {row["request_id"] for row in self.tx.all(ERASURES_OF, {"ids": list(request_ids)})}

    def applications_over(self, *, before: datetime, limit: int) -> list[UUID]:
        """Applications that came to nothing, ended, or were changed last, before then and are not emptied
        yet, oldest first: held until the transaction ends. One in other hands just now waits."""
        return [row["id"] for row in self.tx.all(OVER, {"before": before, "limit": limit})]

    def prove_emptied(self, emptied: Emptied) -> None:
        """Write down, once, that an application lost what was personal."""
        self.tx.run(PROVE_EMPTIED, {**asdict(emptied), "reason": emptied.reason.value})

    def emptied(self, registration_id: UUID) -> Emptied | None:
        """The proof of it, if it did."""
        row = self.tx.one(EMPTIED, {"id": registration_id})
        return Emptied(**{**row, "reason": Why(row["reason"])}) if row else None


def columns_of(kept: Sequence[Kept]) -> dict[str, Any]:
    return {
        "refs": [photo.ref for photo in kept],
        "hashes": [photo.sha256 for photo in kept],
        "reasons": [photo.reason.value for photo in kept],
        "sinces": [photo.since for photo in kept],
    }
