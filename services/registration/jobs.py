"""What registration does on leases: photos and applications whose time has come are deleted and emptied, and
photos that nobody knows are found. Safe to run twice, and after a kill at any point."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Protocol

from services.registration import erasure
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
EMPTY_APPLICATIONS = "empty_applications"
AT_ONCE = 200
AGAIN_SECONDS = 60
ORPHANS_AGAIN_SECONDS = 3600
EMPTY_AGAIN_SECONDS = 3600
LONGEST_RUN_SECONDS = 60
"""Then a run ends, well within its lease, however slow the store is, and the next goes on."""
AWAY_IN_A_ROW = 3
"""So many answers in a row that the store is away, and it is: fewer may be about those objects alone."""
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
    ends_at, is_late, away = monotonic() + LONGEST_RUN_SECONDS, False, 0
    deleted, failed = [], []
    for photo in due:
        if away == AWAY_IN_A_ROW or (is_late := monotonic() > ends_at):
            break
        try:
            store.delete(photo.ref)
        except Exception as error:  # the others' time has come as well
            log.error("a photo could not be deleted", ref=photo.ref, error=type(error).__name__)
            failed.append(photo.ref)
            away = away + 1 if isinstance(error, ObjectsAway) else 0
        else:
            deleted.append(photo.ref)
            away = 0
    is_full = AT_ONCE in (len(deleted) + len(failed), abandoned)
    is_more = away < AWAY_IN_A_ROW and (is_late or is_full)

    def record(tx: Transaction) -> None:
        storage = Storage(tx)
        storage.prove_deleted(deleted, at=now(), by=f"registration.{DELETE_PHOTOS}")
        storage.put_off(failed, at=now())
        at = now() + timedelta(seconds=0 if is_more else AGAIN_SECONDS)
        outbox.add(tx, outbox.Due(DELETE_PHOTOS, "photos", at))

    return record


def empty_applications(terms: Terms, now: Callable[[], datetime]) -> Record:
    """Empty applications that came to nothing and whose time is over, some at once, and again."""

    def record(tx: Transaction) -> None:
        before = now() - timedelta(days=terms.application_closed_days)
        done = erasure.empty_over(Storage(tx), before=before, at=now(), limit=AT_ONCE)
        at = now() + timedelta(seconds=0 if done == AT_ONCE else EMPTY_AGAIN_SECONDS)
        outbox.add(tx, outbox.Due(EMPTY_APPLICATIONS, "applications", at))

    return record


def find_orphans(db: Database, store: Store, due: Any, now: Callable[[], datetime]) -> Record:
    """Go on through one place of the store, ``due.key``: uploads that were never attached, and photos that
    no registration knows. The latter stay a day from when they are found: a database that was put back to an
    earlier moment is told again what it has lost (``vssid reconcile``)."""
    place, after = due.key, due.payload.get("after", "")
    ends_at = monotonic() + LONGEST_RUN_SECONDS
    try:
        listed = off_hub(lambda: store.listed(place, after=after, limit=AT_ONCE))
    except Exception as error:
        log.error("the object store could not be listed", place=place, error=type(error).__name__)
        return search_again(place, [], after, now, AGAIN_SECONDS)
    old = {found.ref: found.changed_at for found in listed if found.changed_at <= now() - YOUNGEST_ORPHAN}
    with db.transaction() as tx:
        unknown = sorted(old.keys() - Storage(tx).objects_known(list(old)))
    found, away = [], 0
    for ref in unknown:
        if away == AWAY_IN_A_ROW:  # the next round finds them
            break
        reason, since = (Reason.ORPHAN, now()) if place == KEPT else (Reason.NEVER_ATTACHED, old[ref])
        try:
            found.append(Kept(ref, off_hub(hash_of_stored, store, ref), reason, since))
            away = 0
        except ObjectUnknown:
            away = 0
        except Exception as error:  # the search goes on: given up, it would not be taken up again
            log.error("an orphan could not be read", ref=ref, error=type(error).__name__)
            away = away + 1 if isinstance(error, ObjectsAway) else 0
        if monotonic() > ends_at:
            return search_again(place, found, ref, now, 0)
    if len(listed) < AT_ONCE:
        return search_again(place, found, "", now, ORPHANS_AGAIN_SECONDS)
    return search_again(place, found, listed[-1].ref, now, 0)


def search_again(
    place: str, found: list[Kept], after: str, now: Callable[[], datetime], seconds: int
) -> Record:
    """Write down what was found, and go on behind ``after``, or from the beginning, so many seconds later."""

    def record(tx: Transaction) -> None:
        Storage(tx).note_orphans(found)
        at = now() + timedelta(seconds=seconds)
        outbox.add(tx, outbox.Due(FIND_ORPHANS, place, at, {"after": after} if after else {}))

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
