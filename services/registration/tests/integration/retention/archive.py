"""A folder of photos, the database that knows them, and the jobs that delete."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from services.registration import jobs
from services.registration.domain import Photo, Registration
from services.registration.retention import Terms
from services.registration.storage import Storage
from services.registration.tests.examples import NOW, draft, submitted
from shared.database import Database
from shared.objects import FolderObjects

DAY = timedelta(days=1)
TERMS = Terms(verified_days=100)
PROOFS = (
    "SELECT ref, sha256, reason, since, deleted_at, deleted_by FROM photo_deletions WHERE ref = ANY(%(refs)s)"
)


class Archive:
    """A folder of photos and the database that knows them; the clock is the test's."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.db = database
        self.store = FolderObjects(folder)
        self.now = NOW

    def photo(self, kind: str = "portrait", place: str = "photos") -> Photo:
        stored = self.store.put(b"sealed", prefix=place, max_bytes=99)
        return Photo(kind, stored.ref, stored.sha256, stored.size_bytes)

    def keep(self, registration: Registration) -> None:
        with self.db.transaction() as tx:
            storage = Storage(tx)
            if storage.find(registration.id) is None:
                storage.add(draft(id=registration.id))
            storage.save(registration)

    def run(self, *, killed: bool = False) -> None:
        """One run of the job, which is over before it has recorded anything when it is killed."""
        record = jobs.delete_photos(self.db, self.store, TERMS, lambda: self.now)
        if not killed:
            with self.db.transaction() as tx:
                record(tx)
                tx.additions.clear()

    def empty(self) -> datetime:
        """One run of the job that empties applications; when the next one is due."""
        record = jobs.empty_applications(TERMS, lambda: self.now)
        with self.db.transaction() as tx:
            record(tx)
            at: datetime = tx.additions[-1].at  # type: ignore[union-attr]
            tx.additions.clear()
        return at

    def found(self, registration: Registration) -> Registration | None:
        with self.db.transaction() as tx:
            return Storage(tx).find(registration.id)

    def saved_at(self, registration: Registration) -> datetime:
        with self.db.transaction() as tx:
            row = tx.one("SELECT changed_at FROM registrations WHERE id = %(id)s", {"id": registration.id})
            assert row is not None
            at: datetime = row["changed_at"]
            return at

    def undeletable(self) -> int:
        with self.db.transaction() as tx:
            return Storage(tx).undeletable_photos()

    def look_for_orphans(self, place: str) -> None:
        """Through the whole place, batch by batch."""
        following = self.look_once(place, {})
        while following.payload:
            following = self.look_once(place, following.payload)

    def look_once(self, place: str, payload: dict[str, Any]) -> Any:
        """One run of the search; when and where it goes on."""
        due = SimpleNamespace(key=place, payload=payload)
        record = jobs.find_orphans(self.db, self.store, due, lambda: self.now)
        with self.db.transaction() as tx:
            record(tx)
            (following,) = tx.additions
            tx.additions.clear()
        return following

    def is_there(self, *photos: Photo) -> list[bool]:
        return [(self.store.root / photo.ref).exists() for photo in photos]

    def proofs(self, *photos: Photo) -> list[dict[str, Any]]:
        with self.db.transaction() as tx:
            return tx.all(PROOFS, {"refs": [photo.ref for photo in photos]})

    def age(self, photo: Photo, age: timedelta) -> None:
        changed = (self.now - age).timestamp()
        os.utime(self.store.root / photo.ref, (changed, changed))


def applied() -> Registration:
    """One of many: its number is its own."""
    held = submitted()
    assert held.submission is not None
    return replace(held, submission=replace(held.submission, declaration_number=f"TK-{held.id}"))


def with_photo(held: Registration, photo: Photo) -> Registration:
    return replace(held, photos=(photo,))
