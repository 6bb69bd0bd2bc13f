"""What a person has erased: photos, drafts, and what is personal of applications that came to nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.registration import erasure, use_cases, views
from services.registration.declaration import Declaration, Guardian
from services.registration.domain import Registration, Status
from services.registration.refusals import DeclarationEmptied
from services.registration.retention import Emptied, Reason, Why, photos_of, reason_of
from services.registration.tests.examples import NOW, complete, draft, photo, submitted
from services.registration.tests.unit.fakes import FakeStorage
from services.registration.timeline import Progress

LATER = NOW + timedelta(days=1)
REASON = "Ảnh không giống Nguyễn Thị Thử Lan"
PERSONAL = ("Nguyễn", "0123456789", "001190123456", "+84912345678", "lan@example.org", "Giả Định")


@pytest.fixture
def storage() -> FakeStorage:
    return FakeStorage()


def keep(storage: FakeStorage, held: Registration) -> Registration:
    storage.add(held)
    return held


def asked(
    *,
    closed: tuple[UUID, ...] = (),
    verified: tuple[UUID, ...] = (),
    under_way: tuple[UUID, ...] | None = None,
) -> dict[str, Any]:
    return {
        "account_id": UUID(int=1),
        "request_id": UUID(int=2),
        "numbers": ["0123456789", "001190123456"],
        "births": ["1990-05-17"],
        "verified_ids": list(verified),
        "closed_ids": list(closed),
        "open_ids": None if under_way is None else list(under_way),  # a sender from before names none
    }


def declaration_of(held: Registration) -> Declaration:
    assert held.declaration is not None
    return held.declaration


def told(storage: FakeStorage) -> list[tuple[int, int, int]]:
    """Photos, applications, drafts."""
    events = storage.tx.events("registration.erased.v1")
    return [(event.data["photos"], event.data["applications"], event.data["drafts"]) for event in events]


def rejected() -> Registration:
    held = submitted("photos_needed").supplement_asked(f"Hỏi {PERSONAL[0]}", NOW, ("portrait",))
    return held.ended(Status.REJECTED, NOW, REASON)


def test_of_what_came_to_nothing_only_number_times_and_steps_stay(storage: FakeStorage) -> None:
    held = keep(storage, rejected())
    erasure.erase(storage, asked(closed=(held.id,)), at=LATER)
    left = storage.kept[held.id]
    assert not [text for text in PERSONAL if text in repr(vars(left))]
    assert left.submission is not None
    assert held.submission is not None
    assert left.submission.declaration_number == held.submission.declaration_number
    assert left.submission.consent_version == held.submission.consent_version
    assert [entry.step for entry in left.timeline] == [entry.step for entry in held.timeline]
    assert {kept.reason for kept in photos_of(left)} == {Reason.ERASED}
    assert views.registration_view(left, None)["status"] == "rejected"
    assert told(storage) == [(3, 1, 0)]


def test_what_was_verified_keeps_its_declaration_and_loses_its_photos(storage: FakeStorage) -> None:
    held = keep(storage, submitted().verified(NOW))
    erasure.erase(storage, asked(verified=(held.id,)), at=LATER)
    assert storage.kept[held.id] == replace(held, erased_at=LATER)
    assert reason_of(storage.kept[held.id]) == (Reason.ERASED, LATER)
    assert told(storage) == [(1, 0, 0)]


def test_drafts_of_the_person_are_closed_and_emptied_and_others_stay(storage: FakeStorage) -> None:
    own, cancelled = keep(storage, complete()), keep(storage, complete().cancelled_by_citizen(NOW))
    others = [
        keep(storage, complete(form_changes={"birth": {"precision": "year", "value": "1990"}})),
        keep(storage, complete(form_changes={"code": "9876543210", "document__number": "001190000009"})),
        keep(storage, draft()),
        keep(storage, submitted()),
    ]
    erasure.erase(storage, asked(), at=LATER)
    for held in (own, cancelled):
        left = storage.kept[held.id]
        assert (left.status, left.declaration, left.email) == (Status.CANCELLED, None, None)
    assert [storage.kept[held.id] for held in others] == others
    assert told(storage) == [(2, 0, 2)]


def test_what_a_guardian_began_for_a_child_is_closed_and_emptied_and_what_others_began_stays(
    storage: FakeStorage,
) -> None:
    mother = Guardian(UUID(int=1), "7900000001", "parent", "+84912345678")
    childs = {"code": "9876543210", "document__number": "001190000009"}
    own = keep(storage, replace(complete(form_changes=childs), guardian=mother))
    others = [
        keep(storage, replace(complete(form_changes=childs), guardian=replace(mother, account_id=uuid4()))),
        keep(storage, replace(submitted(), guardian=mother)),
    ]
    erasure.erase(storage, asked(), at=LATER)
    left = storage.kept[own.id]
    assert (left.status, left.declaration) == (Status.CANCELLED, None)
    assert left.guardian == replace(mother, code="", phone="")
    assert [storage.kept[held.id] for held in others] == others
    assert told(storage) == [(1, 0, 1)]


def test_an_ending_that_comes_late_empties_what_was_to_be_erased(storage: FakeStorage) -> None:
    held = keep(storage, submitted())
    erasure.erase(storage, asked(closed=(held.id,)), at=LATER)
    assert storage.kept[held.id].declaration is not None, "its case has ended, but that was not told yet"
    use_cases.note_rejected(storage, held.id, reason=REASON, at=LATER)
    left = storage.kept[held.id]
    assert (left.status, left.declaration) == (Status.REJECTED, None)
    assert not [text for text in PERSONAL if text in repr(vars(left))]


def emptied_told(storage: FakeStorage) -> list[UUID]:
    return [event.data["registration_id"] for event in storage.tx.events("registration.emptied.v1")]


def test_an_application_under_way_goes_on_and_is_emptied_when_it_comes_to_nothing(
    storage: FakeStorage,
) -> None:
    held = keep(storage, submitted("photos_needed"))
    storage.claims[held.id] = use_cases.claim_of(held, declaration_of(held))
    erasure.erase(storage, asked(under_way=(held.id,)), at=LATER)
    assert storage.kept[held.id] == replace(held, erased_at=LATER)
    assert {kept.reason for kept in photos_of(storage.kept[held.id])} == {Reason.OPEN}, "the desk needs them"
    assert (told(storage), storage.proofs) == ([(0, 0, 0)], {})

    ended_at = LATER + timedelta(days=2)
    for _ in range(2):
        use_cases.note_closed(storage, held.id, reason="deadline_passed", at=ended_at)
    left = storage.kept[held.id]
    assert not [text for text in PERSONAL if text in repr(vars(left))]
    assert {kept.reason for kept in photos_of(left)} == {Reason.ERASED}
    assert storage.emptied(held.id) == Emptied(held.id, Why.REQUEST, ended_at, ended_at)
    assert emptied_told(storage) == [held.id], "so that its case loses the same"
    assert storage.claims == {}


def test_an_application_under_way_that_is_verified_keeps_its_declaration(storage: FakeStorage) -> None:
    held = keep(storage, submitted())
    erasure.erase(storage, asked(under_way=(held.id,)), at=LATER)
    use_cases.note_verified(storage, held.id, at=LATER)
    assert storage.kept[held.id].declaration == held.declaration
    assert (storage.proofs, emptied_told(storage)) == ({}, [])


@pytest.mark.parametrize("status", [Status.REJECTED, Status.EXPIRED, Status.CANCELLED])
def test_what_came_to_nothing_is_emptied_when_its_time_is_over(storage: FakeStorage, status: Status) -> None:
    detail = REASON if status is Status.REJECTED else None
    old = keep(storage, submitted().ended(status, NOW, detail))
    others = [
        keep(storage, submitted().ended(status, LATER)),
        keep(storage, submitted().verified(NOW)),
        keep(storage, submitted()),
        keep(storage, complete()),
        keep(storage, complete().cancelled_by_citizen(NOW)),
    ]
    emptied_at = NOW + timedelta(days=365)
    done = [erasure.empty_over(storage, before=NOW, at=emptied_at, limit=9) for _ in range(2)]
    left = storage.kept[old.id]
    assert done == [1, 0]
    assert not [text for text in PERSONAL if text in repr(vars(left))]
    assert left.submission is not None
    assert old.submission is not None
    assert left.submission.declaration_number == old.submission.declaration_number
    assert [(e.step, e.at) for e in left.timeline] == [(e.step, e.at) for e in old.timeline]
    assert storage.emptied(old.id) == Emptied(old.id, Why.TERM, NOW, emptied_at)
    assert emptied_told(storage) == [old.id]
    assert [storage.kept[held.id] for held in others] == others


def test_its_timeline_is_still_told_and_its_declaration_is_gone(storage: FakeStorage) -> None:
    held = keep(storage, rejected())
    key = use_cases.Key(held.id, held.token_hash)
    (before,) = use_cases.read_timelines(storage, [key])
    assert isinstance(before, Progress)
    erasure.empty_over(storage, before=NOW, at=LATER, limit=9)
    (after,) = use_cases.read_timelines(storage, [key])
    assert isinstance(after, Progress)
    assert (after.status, len(after.entries)) == (Status.REJECTED, len(before.entries))
    assert after.next[0] == "start_again"
    assert "đã xoá theo thời hạn" in after.next[1]
    assert after.tag != before.tag
    with pytest.raises(DeclarationEmptied) as refused:
        use_cases.read_submitted(storage, key)
    assert "đã xoá theo thời hạn" in refused.value.vi


def test_told_again_long_after_it_leaves_drafts_alone_that_were_begun_since(storage: FakeStorage) -> None:
    since = keep(storage, complete().entry("started", LATER + timedelta(seconds=1)))
    before = keep(storage, complete().entry("started", LATER))
    erasure.erase(storage, asked(), at=LATER)
    assert storage.kept[since.id] == since
    assert storage.kept[before.id].declaration is None


def test_told_twice_it_is_done_once_and_answered_the_same(storage: FakeStorage) -> None:
    held = keep(storage, rejected())
    for at in (LATER, LATER + timedelta(days=1)):
        erasure.erase(storage, asked(closed=(held.id,)), at=at)
    assert storage.kept[held.id].erased_at == LATER
    assert told(storage) == [(3, 1, 0)] * 2


def test_of_a_child_it_stays_that_somebody_registered_it_but_not_who(storage: FakeStorage) -> None:
    guardian = Guardian(uuid4(), "7900000001", "parent", "+84912345678")
    held = keep(storage, replace(rejected(), guardian=guardian))
    erasure.erase(storage, asked(closed=(held.id,)), at=LATER)
    assert storage.kept[held.id].guardian == replace(guardian, code="", phone="")


def test_photos_that_a_supplement_replaced_are_due_as_well() -> None:
    asked_for = submitted().supplement_asked(None, NOW, ("portrait",))
    held = asked_for.with_photo(photo("portrait")).supplemented("", NOW).verified(NOW)
    kept = list(photos_of(replace(held, erased_at=LATER)))
    assert [(one.reason, one.since) for one in kept] == [(Reason.ERASED, LATER)] * 2
