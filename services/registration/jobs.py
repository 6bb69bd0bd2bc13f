"""What registration does on leases with the object store: photos whose time has come are deleted, and those
that nobody knows are found. Safe to run twice, and after a kill at any point."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

from services.registration.photos import KEPT
from services.registration.retention import Kept, Reason, Terms
from services.registration.storage import Storage
from shared import logs
from shared.database import Database, Transaction
from shared.messaging import outbox
from shared.objects import Listed, ObjectsAway, ObjectUnknown
from shared.off_hub import off_hub

log = logs.get(__name__)

DELETE_PHOTOS, FIND_ORPHANS = "delete_photos", "find_orphans"
AT_ONCE = 200
AGAIN_SECONDS = 60
ORPHANS_AGAIN_SECONDS = 3600
YOUNGEST_ORPHAN = timedelta(days=1)
"""What is younger may be on its way."""

Record = Callable[[Transaction], None]


class Store(Protocol):
    """What is needed of the object store."""

    def delete(self, ref: str) -> None: ...
    def listed(self, prefix: str, *, after: str, limit: int) -> list[Listed]: ...
    def open(self, ref: str) -> Any: ...


def delete_photos(db: Database, store: Store, terms: Terms, now: Callable[[], datetime]) -> Record:
    """Delete photos whose time has come, some at once, and write down of each that it was. Abandoned drafts
    go first, as theirs are due then.

    Killed in between, the next run deletes them again, which is no error, and proves it once. One that cannot
    be deleted is put off, so that however many there are of them, the others' turn comes.
    """
    with db.transaction() as tx:
        abandoned = Storage(tx).delete_abandoned_drafts(
            before=now() - timedelta(days=terms.draft_days), at=now(), limit=AT_ONCE
        )
        due = Storage(tx).photos_due(terms.due(now()), now=now(), limit=AT_ONCE)
    deleted, failed = [], []
    for photo in due:
        try:
            store.delete(photo.ref)
        except ObjectsAway:  # as it is for the others, whose time to wait would add up
            break
        except Exception as error:  # the others' time has come as well
            log.error("a photo could not be deleted", ref=photo.ref, error=type(error).__name__)
            failed.append(photo.ref)
        else:
            deleted.append(photo.ref)
    seconds = 0 if AT_ONCE in (len(deleted) + len(failed), abandoned) else AGAIN_SECONDS

    def record(tx: Transaction) -> None:
        storage = Storage(tx)
        storage.prove_deleted(deleted, at=now(), by=f"registration.{DELETE_PHOTOS}")
        storage.put_off(failed, at=now())
        outbox.add(tx, outbox.Due(DELETE_PHOTOS, "photos", now() + timedelta(seconds=seconds)))

    return record


def find_orphans(db: Database, store: Store, due: Any, now: Callable[[], datetime]) -> Record:
    """Go on through one place of the store, ``due.key``: uploads that were never attached, and photos that
    no registration knows. The latter stay a day from when they are found: a database that was put back to an
    earlier moment is told again what it has lost (``vssid reconcile``)."""
    place, after = due.key, due.payload.get("after", "")
    try:
        listed = off_hub(lambda: store.listed(place, after=after, limit=AT_ONCE))
    except Exception as error:
        log.error("the object store could not be listed", place=place, error=type(error).__name__)
        listed = []
    old = {found.ref: found.changed_at for found in listed if found.changed_at <= now() - YOUNGEST_ORPHAN}
    with db.transaction() as tx:
        unknown = sorted(old.keys() - Storage(tx).objects_known(list(old)))
    found = []
    for ref in unknown:
        reason, since = (Reason.ORPHAN, now()) if place == KEPT else (Reason.NEVER_ATTACHED, old[ref])
        try:
            found.append(Kept(ref, off_hub(hash_of_stored, store, ref), reason, since))
        except ObjectUnknown:
            continue
        except ObjectsAway:  # the next round finds them
            break
    is_end = len(listed) < AT_ONCE

    def record(tx: Transaction) -> None:
        Storage(tx).note_orphans(found)
        at = now() + timedelta(seconds=ORPHANS_AGAIN_SECONDS if is_end else 0)
        outbox.add(tx, outbox.Due(FIND_ORPHANS, place, at, {} if is_end else {"after": listed[-1].ref}))

    return record


def hash_of_stored(store: Store, ref: str) -> str:
    """SHA-256 of the bytes as they lie in the store, which nobody here can read."""
    stream, digest = store.open(ref), hashlib.sha256()
    try:
        while chunk := stream.read(64 * 1024):
            digest.update(chunk)
    finally:
        stream.close()
    return digest.hexdigest()
