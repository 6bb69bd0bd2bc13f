"""After a restore: what registration tells again, and what it takes back from a case."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.registration import use_cases
from services.registration.claims import Claim
from services.registration.domain import Registration, Status
from services.registration.refusals import PhoneTaken, RegistrationUnknown
from services.registration.tests.examples import NOW, TOKEN_HASH, draft, submitted
from services.registration.tests.unit.fakes import FakeStorage
from services.registration.use_cases import Key

SUBMITTED, CLOSE_REQUESTED = "registration.submitted.v1", "registration.close_requested.v1"
LATER = NOW + timedelta(hours=1)
LOST_TOKEN = b"x" * 32


@pytest.fixture
def storage() -> FakeStorage:
    return FakeStorage()


def told_by(application: Registration) -> dict:
    """The data of its registration.submitted, as its case would give it back."""
    storage = FakeStorage()
    storage.add(application)
    use_cases.tell_submitted_again(storage, application.id, now=LATER)
    (event,) = storage.tx.events(SUBMITTED)
    return event.data


def taken_back(storage: FakeStorage, told: dict, *, has_ended: bool = False) -> Registration:
    use_cases.take_back(storage, told, has_ended=has_ended, token_hash=LOST_TOKEN, now=LATER)
    return storage.kept[told["registration_id"]]


def test_a_submission_is_told_again_as_of_then(storage: FakeStorage) -> None:
    application = submitted()
    storage.add(application)
    use_cases.tell_submitted_again(storage, application.id, now=LATER)
    (event,) = storage.tx.events(SUBMITTED)
    assert (event.time, event.data["registration_id"]) == (NOW, application.id)
    assert storage.tx.events(CLOSE_REQUESTED) == []


def test_with_an_application_that_has_ended_goes_the_request_to_close(storage: FakeStorage) -> None:
    application = submitted().ended(Status.REJECTED, NOW)
    storage.add(application)
    use_cases.tell_submitted_again(storage, application.id, now=LATER)
    assert [event.data["reason"] for event in storage.tx.events(CLOSE_REQUESTED)] == ["cancelled"]


def test_a_draft_has_nothing_to_tell(storage: FakeStorage) -> None:
    held = draft()
    storage.add(held)
    use_cases.tell_submitted_again(storage, held.id, now=LATER)
    use_cases.ask_to_close_again(storage, held.id, now=LATER)
    assert storage.tx.additions == []


def test_an_application_is_taken_back_whole_and_opens_to_nobody(storage: FakeStorage) -> None:
    lost = submitted("photos_needed")
    back = taken_back(storage, told_by(lost))
    assert (back.status, back.submission, back.declaration) == (
        Status.SUBMITTED,
        lost.submission,
        lost.declaration,
    )
    assert [photo.ref for photo in back.photos] == [photo.ref for photo in lost.photos]
    assert storage.claims[lost.id] == Claim(
        lost.id, lost.declaration.phone, frozenset(lost.declaration.numbers)
    )
    assert [due.at for due in storage.tx.due("pass_deadline")] == [lost.submission.deadline]
    with pytest.raises(RegistrationUnknown):
        use_cases.hold(storage, Key(lost.id, TOKEN_HASH))


def test_a_draft_that_is_taken_back_keeps_its_resume_token(storage: FakeStorage) -> None:
    lost = submitted()
    storage.add(draft(id=lost.id))
    taken_back(storage, told_by(lost))
    assert use_cases.hold(storage, Key(lost.id, TOKEN_HASH)).status is Status.SUBMITTED


def test_what_was_taken_back_once_is_left_alone(storage: FakeStorage) -> None:
    told = told_by(submitted())
    first = taken_back(storage, told)
    added = len(storage.tx.additions)
    assert taken_back(storage, told) == first
    assert len(storage.tx.additions) == added


def test_one_that_has_ended_claims_nothing(storage: FakeStorage) -> None:
    taken_back(storage, told_by(submitted()), has_ended=True)
    assert storage.claims == {}


def test_a_phone_that_somebody_else_has_claimed_is_not_taken_away(storage: FakeStorage) -> None:
    lost = submitted()
    holder = draft()
    storage.add(holder)
    storage.save_claim(Claim(holder.id, lost.declaration.phone, frozenset({"9876543210"})))
    with pytest.raises(PhoneTaken):
        taken_back(storage, told_by(lost))
