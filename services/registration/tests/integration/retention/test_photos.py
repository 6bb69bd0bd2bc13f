"""Photos whose time has come are deleted from a real folder, with a proof in a real database."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from services.registration import jobs
from services.registration.domain import Status
from services.registration.retention import erased
from services.registration.tests.examples import NOW, complete
from services.registration.tests.integration.retention.archive import DAY, Archive, applied, with_photo
from shared.objects import ObjectsAway


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
