"""Photos that nobody knows are found in a real folder, and go."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest

from services.registration import jobs
from services.registration.storage import Storage
from services.registration.tests.integration.retention.archive import DAY, Archive, applied, with_photo
from shared.objects import ObjectsAway


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
