"""Photos whose time has come are deleted from a real folder, with a proof in a real database."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.native.instance import Instance
from services.registration import artefacts, jobs
from services.registration.domain import Photo, Registration, Status
from services.registration.retention import Emptied, Terms, Why, erased
from services.registration.storage import Storage
from services.registration.tests.examples import NOW, complete, draft, submitted
from shared.database import Database
from shared.objects import FolderObjects, ObjectsAway
from tests.fixtures import migrate

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


@pytest.fixture(scope="module")
def database(servers: Instance) -> Iterator[Database]:
    dsn = servers.database("registration_retention")
    migrate("registration", dsn)
    database = Database(dsn, name="test")
    database.open()
    yield database
    database.close()
    servers.drop_database("registration_retention")


@pytest.fixture
def archive(database: Database, tmp_path: Path) -> Archive:
    return Archive(database, tmp_path)


def applied() -> Registration:
    """One of many: its number is its own."""
    held = submitted()
    assert held.submission is not None
    return replace(held, submission=replace(held.submission, declaration_number=f"TK-{held.id}"))


@pytest.fixture
def crowd(archive: Archive) -> list[Registration]:
    """Applications that ended one after the other, among others that do not go."""
    over = [applied().ended(Status.REJECTED, NOW) for _ in range(5)]
    for held in (*over, applied(), applied().verified(NOW), complete().cancelled_by_citizen(NOW)):
        archive.keep(held)
    return over


def test_applications_that_came_to_nothing_are_emptied_in_batches_when_their_time_is_over(
    archive: Archive, crowd: list[Registration], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "AT_ONCE", 2)
    last = archive.saved_at(crowd[-1])
    archive.now = archive.saved_at(crowd[0]) + 365 * DAY - timedelta(seconds=1)
    assert archive.empty() == archive.now + timedelta(hours=1)
    assert archive.found(crowd[0]) == crowd[0]
    archive.now = last + 365 * DAY
    while archive.empty() == archive.now:
        pass
    for held in crowd:
        left = archive.found(held)
        assert left is not None
        assert (left.is_emptied, left.erased_at, left.status) == (True, archive.now, Status.REJECTED)
        with archive.db.transaction() as tx:
            assert Storage(tx).emptied(held.id) == Emptied(held.id, Why.TERM, NOW, archive.now)


def test_those_that_are_over_are_found_by_an_index(archive: Archive, crowd: list[Registration]) -> None:
    with archive.db.transaction() as tx:
        tx.run("SET LOCAL enable_seqscan = off")
        asked = {"before": archive.now, "limit": 2}
        plan = "\n".join(row["QUERY PLAN"] for row in tx.all("EXPLAIN " + artefacts.OVER, asked))
    assert "Index Scan using registrations_over" in plan
    assert "Sort" not in plan, "bounded: the oldest come first"


def with_photo(held: Registration, photo: Photo) -> Registration:
    return replace(held, photos=(photo,))


@pytest.mark.parametrize(
    ("status", "days", "reason"),
    [
        (Status.REJECTED, 30, "closed"),
        (Status.EXPIRED, 30, "closed"),
        (Status.CANCELLED, 30, "closed"),
        (Status.VERIFIED, 100, "verified"),
    ],
)
def test_photos_are_deleted_when_their_time_has_come_and_not_before(
    archive: Archive, status: Status, days: int, reason: str
) -> None:
    photo = archive.photo()
    held = with_photo(applied(), photo)
    archive.keep(held)
    ended = held.verified(NOW) if status is Status.VERIFIED else held.ended(status, NOW)
    archive.keep(ended)

    archive.now = NOW + days * DAY - timedelta(seconds=1)
    archive.run()
    assert (archive.is_there(photo), archive.proofs(photo)) == ([True], [])

    archive.now += timedelta(seconds=1)
    archive.run()
    assert archive.is_there(photo) == [False]
    assert archive.proofs(photo) == [
        {
            "ref": photo.ref,
            "sha256": photo.sha256,
            "reason": reason,
            "since": NOW,
            "deleted_at": archive.now,
            "deleted_by": "registration.delete_photos",
        }
    ]


def test_an_open_application_keeps_its_photos(archive: Archive) -> None:
    photo = archive.photo()
    archive.keep(with_photo(applied(), photo))
    archive.now = NOW + 5000 * DAY
    archive.run()
    assert archive.is_there(photo) == [True]


def test_a_draft_that_nobody_saves_any_more_is_deleted_with_its_photos(archive: Archive) -> None:
    photo, of_sent = archive.photo(), archive.photo()
    begun, sent = with_photo(complete(), photo), with_photo(applied(), of_sent)
    for held in (begun, sent):
        archive.keep(held)
    saved = archive.saved_at(begun)
    archive.now = saved + 30 * DAY - timedelta(seconds=1)
    archive.run()
    assert (archive.found(begun), archive.is_there(photo)) == (begun, [True])
    archive.now = saved + 30 * DAY
    for _ in range(2):
        archive.run()
    assert (archive.found(begun), archive.found(sent)) == (None, sent)
    assert archive.is_there(photo, of_sent) == [False, True]
    assert [proof["reason"] for proof in archive.proofs(photo, of_sent)] == ["abandoned"]


def test_a_draft_that_was_cancelled_goes_as_one_that_nobody_saves_does(archive: Archive) -> None:
    photo, of_sent = archive.photo(), archive.photo()
    begun, sent = with_photo(complete(), photo), with_photo(applied(), of_sent)
    for held in (begun, sent):
        archive.keep(held)
    archive.keep(cancelled := begun.cancelled_by_citizen(datetime.now(UTC)))
    archive.keep(closed := sent.ended(Status.CANCELLED, datetime.now(UTC)))
    archive.now = archive.saved_at(begun) + 30 * DAY - timedelta(seconds=1)
    archive.run()
    assert archive.found(begun) == cancelled
    archive.now = archive.saved_at(begun) + 30 * DAY
    archive.run()
    assert (archive.found(begun), archive.found(sent)) == (None, closed), "what was submitted stays"
    assert archive.is_there(photo) == [False]
    assert [proof["reason"] for proof in archive.proofs(photo)] == ["abandoned"]


def test_killed_after_a_draft_has_gone_its_photos_go_with_the_next_run(archive: Archive) -> None:
    photo = archive.photo()
    archive.keep(begun := with_photo(complete(), photo))
    archive.now = archive.saved_at(begun) + 31 * DAY
    archive.run(killed=True)
    assert archive.found(begun) is None
    archive.run()
    assert len(archive.proofs(photo)) == 1


def test_a_draft_that_is_being_saved_just_now_stays(archive: Archive) -> None:
    archive.keep(begun := with_photo(complete(), archive.photo()))
    archive.now = archive.saved_at(begun) + 31 * DAY
    with archive.db.transaction() as tx:
        assert Storage(tx).find(begun.id, to_change=True) == begun
        archive.run()
        Storage(tx).save(begun)
    assert archive.found(begun) == begun


def test_a_photo_that_a_supplement_replaced_goes_thirty_days_later_and_the_new_one_stays(
    archive: Archive,
) -> None:
    old, new = archive.photo(), archive.photo()
    held = with_photo(applied(), old).supplement_asked("Ảnh mờ", NOW, ("portrait",))
    archive.keep(held)
    archive.keep(held.with_photo(new).supplemented("", NOW + DAY))
    archive.now = NOW + 31 * DAY
    archive.run()
    assert archive.is_there(old, new) == [False, True]
    assert [proof["reason"] for proof in archive.proofs(old, new)] == ["replaced"]


def test_a_photo_taken_again_in_a_draft_is_proven_deleted_at_once(archive: Archive) -> None:
    old, new = archive.photo(), archive.photo()
    held = with_photo(complete(), old)
    archive.keep(held)
    archive.store.delete(old.ref)  # as the service does it, after its commit
    archive.keep(with_photo(held, new))
    archive.now = datetime.now(UTC) + timedelta(seconds=60)
    archive.run()
    assert archive.is_there(old, new) == [False, True]
    assert [proof["reason"] for proof in archive.proofs(old, new)] == ["retaken"]


def test_what_was_erased_on_request_goes_at_once_with_its_proof(archive: Archive) -> None:
    photos = archive.photo(), archive.photo(), archive.photo()
    rejected = with_photo(applied(), photos[0]).ended(Status.REJECTED, NOW)
    verified = with_photo(applied(), photos[1]).verified(NOW)
    begun = with_photo(complete(), photos[2])
    for held in (rejected, verified, begun):
        archive.keep(held)
        archive.keep(erased(held, NOW))
    archive.run()
    assert archive.is_there(*photos) == [False] * 3
    assert {proof["reason"] for proof in archive.proofs(*photos)} == {"erased"}


def test_killed_between_deletion_and_proof_it_is_proven_once(archive: Archive) -> None:
    photo = archive.photo()
    archive.keep(with_photo(applied(), photo).ended(Status.REJECTED, NOW))
    archive.now = NOW + 30 * DAY
    archive.run(killed=True)
    assert (archive.is_there(photo), archive.proofs(photo)) == ([False], [])
    for _ in range(2):
        archive.run()
        assert len(archive.proofs(photo)) == 1
    late = with_photo(applied(), photo).ended(Status.REJECTED, NOW)  # an event that is told once more
    archive.keep(late)
    archive.run()
    assert len(archive.proofs(photo)) == 1


def test_many_are_deleted_some_at_once(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "AT_ONCE", 2)
    photos = [archive.photo() for _ in range(5)]
    for photo in photos:
        archive.keep(with_photo(applied(), photo).ended(Status.REJECTED, NOW))
    archive.now = NOW + 30 * DAY
    left = []
    while any(archive.is_there(*photos)):
        archive.run()
        left.append(sum(archive.is_there(*photos)))
    assert left == [3, 1, 0]
    assert len(archive.proofs(*photos)) == 5


def test_one_that_cannot_be_deleted_waits_and_harms_no_other(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, other = archive.photo(), archive.photo()
    for photo in (stuck, other):
        archive.keep(with_photo(applied(), photo).ended(Status.REJECTED, NOW))
    archive.now = NOW + 30 * DAY
    delete = archive.store.delete

    def failing(ref: str) -> None:
        if ref == stuck.ref:
            raise OSError
        delete(ref)

    with monkeypatch.context() as patched:
        patched.setattr(archive.store, "delete", failing)
        archive.run()
    assert archive.is_there(stuck, other) == [True, False]
    assert len(archive.proofs(stuck, other)) == 1
    assert archive.undeletable() == 1
    archive.run()
    assert archive.is_there(stuck) == [True], "it waits a minute"
    archive.now += timedelta(minutes=1)
    archive.run()
    assert (archive.is_there(stuck), archive.undeletable()) == ([False], 0)
    assert len(archive.proofs(stuck, other)) == 2


def test_many_that_cannot_be_deleted_stand_in_nobodys_way(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "AT_ONCE", 2)
    stuck, other = [archive.photo() for _ in range(4)], archive.photo()
    for days, photo in enumerate((*stuck, other)):  # those that waited longest come first
        archive.keep(with_photo(applied(), photo).ended(Status.REJECTED, NOW + days * DAY))
    archive.now = NOW + 40 * DAY
    delete, tried = archive.store.delete, []

    def failing(ref: str) -> None:
        tried.append(ref)
        if ref != other.ref:
            raise PermissionError
        delete(ref)

    with monkeypatch.context() as patched:
        patched.setattr(archive.store, "delete", failing)
        for _ in range(3):
            archive.run()
        assert archive.is_there(*stuck, other) == [True] * 4 + [False]
        waits = []
        for minutes in range(1, 12):
            archive.now += timedelta(minutes=1)
            tried.clear()
            for _ in range(3):
                archive.run()
            waits += [minutes] * (stuck[0].ref in tried)
        assert waits == [1, 3, 7], "twice as long each time"
        assert archive.undeletable() == 4
    archive.now += DAY
    for _ in range(2):
        archive.run()
    assert (archive.is_there(*stuck), archive.undeletable()) == ([False] * 4, 0)


def test_while_the_store_is_away_photos_wait_for_a_later_run(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, tries = [archive.photo() for _ in range(5)], []
    for photo in photos:
        archive.keep(with_photo(applied(), photo).ended(Status.REJECTED, NOW))
    archive.now = NOW + 30 * DAY

    def away(ref: str) -> None:
        tries.append(ref)
        raise ObjectsAway("ConnectError")

    with monkeypatch.context() as patched:
        patched.setattr(archive.store, "delete", away)
        archive.run()
    assert len(tries) == 3, "what waits for three would wait for each"
    assert (archive.is_there(*photos), archive.proofs(*photos)) == ([True] * 5, [])
    assert archive.undeletable() == 3, "which is told to operators"
    archive.run()
    assert sum(archive.is_there(*photos)) == 3
    archive.now += timedelta(minutes=1)
    archive.run()
    assert (archive.is_there(*photos), len(archive.proofs(*photos))) == ([False] * 5, 5)
    assert archive.undeletable() == 0


def test_some_that_the_store_does_not_let_us_delete_stand_in_nobodys_way(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [archive.photo() for _ in range(6)]
    for days, photo in enumerate(photos):
        archive.keep(with_photo(applied(), photo).ended(Status.REJECTED, NOW + days * DAY))
    archive.now = NOW + 40 * DAY
    delete, locked = archive.store.delete, [photo.ref for photo in (*photos[:2], *photos[3:5])]

    def failing(ref: str) -> None:
        if ref in locked:
            raise ObjectsAway("403 AccessDenied")
        delete(ref)

    monkeypatch.setattr(archive.store, "delete", failing)
    archive.run()
    assert archive.is_there(*photos) == [True, True, False, True, True, False]
    assert (archive.undeletable(), len(archive.proofs(*photos))) == (4, 2)


def test_a_slow_store_is_left_in_time_and_what_was_deleted_is_written_down(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [archive.photo() for _ in range(3)]
    for photo in photos:
        archive.keep(with_photo(applied(), photo).ended(Status.REJECTED, NOW))
    archive.now = NOW + 30 * DAY
    monkeypatch.setattr(jobs, "monotonic", itertools.count(step=25).__next__)
    left = []
    while any(archive.is_there(*photos)):
        archive.run()
        left.append((sum(archive.is_there(*photos)), len(archive.proofs(*photos))))
    assert left == [(1, 2), (0, 3)]


def test_orphans_that_cannot_be_read_now_are_found_in_the_next_round(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphans = [archive.photo(place="quarantine") for _ in range(2)]
    for orphan in orphans:
        archive.age(orphan, 2 * DAY)

    def away(*_args: object, **_kwargs: object) -> None:
        raise ObjectsAway("ConnectError")

    for method in ("open", "listed"):
        with monkeypatch.context() as patched:
            patched.setattr(archive.store, method, away)
            archive.look_for_orphans("quarantine")
        archive.run()
        assert archive.is_there(*orphans) == [True, True]
    archive.look_for_orphans("quarantine")
    archive.run()
    assert archive.is_there(*orphans) == [False, False]


def test_after_a_failure_the_search_for_orphans_goes_on_where_it_was(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: object, **_kwargs: object) -> None:
        raise ObjectsAway("ConnectError")

    monkeypatch.setattr(archive.store, "listed", away)
    following = archive.look_once("photos", {"after": "photos/" + "7" * 32})
    assert (following.payload, following.at) == (
        {"after": "photos/" + "7" * 32},
        archive.now + timedelta(minutes=1),
    )


def test_in_a_slow_store_the_search_for_orphans_goes_on_where_it_ended(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphans = sorted((archive.photo(place="quarantine") for _ in range(5)), key=lambda photo: photo.ref)
    for orphan in orphans:
        archive.age(orphan, 2 * DAY)
    monkeypatch.setattr(jobs, "monotonic", itertools.count(step=35).__next__)
    following = archive.look_once("quarantine", {})
    assert (following.payload, following.at) == ({"after": orphans[1].ref}, archive.now)
    archive.look_for_orphans("quarantine")
    monkeypatch.undo()
    archive.run()
    assert archive.is_there(*orphans) == [False] * 5


@pytest.mark.parametrize("error", [ObjectsAway("403 AccessDenied"), PermissionError(13, "denied")])
def test_one_that_cannot_be_read_hides_no_other_orphan(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    orphans = sorted((archive.photo(place="quarantine") for _ in range(3)), key=lambda photo: photo.ref)
    for orphan in orphans:
        archive.age(orphan, 2 * DAY)
    opened = archive.store.open

    def failing(ref: str) -> Any:
        if ref == orphans[0].ref:
            raise error
        return opened(ref)

    monkeypatch.setattr(archive.store, "open", failing)
    archive.look_for_orphans("quarantine")
    archive.run()
    assert archive.is_there(*orphans) == [True, False, False]


def test_uploads_that_were_never_attached_go_after_a_day(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "AT_ONCE", 2)
    old, fresh = [archive.photo(place="quarantine") for _ in range(5)], archive.photo(place="quarantine")
    for photo in old:
        archive.age(photo, DAY)
    archive.age(fresh, DAY - timedelta(seconds=2))
    archive.look_for_orphans("quarantine")
    for _ in range(3):
        archive.run()
    assert archive.is_there(*old, fresh) == [False] * 5 + [True]
    proofs = archive.proofs(*old)
    assert {proof["reason"] for proof in proofs} == {"never_attached"}
    assert {proof["sha256"] for proof in proofs} == {old[0].sha256}, "the hash of what lay there"


def test_after_a_restore_no_photo_is_taken_for_an_orphan_until_nothing_is_missing(archive: Archive) -> None:
    newer = archive.photo()
    archive.age(newer, 9 * DAY)
    archive.look_for_orphans("photos")  # found, and then the database is put back
    held = []
    for act in (Storage.hold_orphans, Storage.release_orphans, Storage.release_orphans):
        with archive.db.transaction() as tx:
            act(Storage(tx))
            held.append(Storage(tx).are_orphans_held())
    assert held == [True, False, False]
    archive.now += 9 * DAY
    archive.run()
    assert archive.is_there(newer) == [True], "what was found before counts no more"


def test_photos_that_no_registration_knows_go_a_day_after_they_are_found(archive: Archive) -> None:
    orphan, taken_back, known = archive.photo(), archive.photo(), archive.photo()
    archive.keep(with_photo(applied(), known))
    for photo in (orphan, taken_back, known):
        archive.age(photo, 9 * DAY)
    archive.look_for_orphans("photos")
    archive.run()
    assert archive.is_there(orphan, taken_back, known) == [True] * 3
    archive.keep(with_photo(applied(), taken_back))  # as after a restore
    archive.now += DAY
    archive.look_for_orphans("photos")
    archive.run()
    assert archive.is_there(orphan, taken_back, known) == [False, True, True]
    assert [proof["reason"] for proof in archive.proofs(orphan, taken_back, known)] == ["orphan"]
