"""Applications that came to nothing are emptied, and drafts deleted, when their time is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.registration import artefacts, jobs
from services.registration.domain import Registration, Status
from services.registration.retention import Emptied, Why
from services.registration.storage import Storage
from services.registration.tests.examples import NOW, complete
from services.registration.tests.integration.retention.archive import DAY, Archive, applied, with_photo


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
