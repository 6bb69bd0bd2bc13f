"""An officer asks for something more, and the citizen sends it."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest

from services.registration import use_cases
from services.registration.domain import Photo, Registration
from services.registration.refusals import PhotoNotNeeded, StepOutOfOrder
from services.registration.tests.examples import NOW, TOKEN_HASH, photo, submitted
from services.registration.tests.unit.fakes import FakeStorage
from services.registration.timeline import Status
from services.registration.use_cases import Key

SUPPLEMENTED = "registration.supplemented.v1"


def hours(count: int) -> timedelta:
    return timedelta(hours=count)


@pytest.fixture
def storage() -> FakeStorage:
    return FakeStorage()


@pytest.fixture
def key(storage: FakeStorage) -> Key:
    application = submitted().checked("matched", NOW)
    storage.add(application)
    return Key(application.id, TOKEN_HASH)


def held(storage: FakeStorage, key: Key) -> Registration:
    return use_cases.hold(storage, key)


def ask(storage: FakeStorage, key: Key, *items: str, after_hours: int = 1, note: str | None = None) -> None:
    assert key.registration_id is not None
    use_cases.note_supplement(
        storage, key.registration_id, text=note, at=NOW + hours(after_hours), items=items
    )


def send(storage: FakeStorage, key: Key, answer: str = "", after_hours: int = 2) -> Registration:
    return use_cases.send_supplement(storage, key, answer=answer, now=NOW + hours(after_hours))


def test_what_was_asked_for_is_sent_with_every_photo_there_is(storage: FakeStorage, key: Key) -> None:
    (before,) = held(storage, key).photos
    ask(storage, key, "portrait", "id_front", "answer", note="Địa chỉ nào là nơi ở hiện nay?")
    portrait, front = photo("portrait"), photo("id_front")
    for taken in (photo("portrait"), portrait, front):
        use_cases.attach_photo(storage, key, taken)
    assert held(storage, key).photos == (before,)

    sent = send(storage, key, "Số 2, phố Giả Định")

    (event,) = storage.tx.events(SUPPLEMENTED)
    assert event.data["note"] == "Số 2, phố Giả Định"
    assert [p["ref"] for p in event.data["photos"]] == [portrait.ref, front.ref]
    assert (sent.status, sent.timeline[-1].step) == (Status.AWAITING_VISIT, "supplemented")
    assert sent.supplement is not None
    assert sent.supplement.replaced == (before,)


def test_a_photo_of_the_supplement_replaces_one_of_the_supplement_only(
    storage: FakeStorage, key: Key
) -> None:
    ask(storage, key, "portrait")
    first, second = photo("portrait"), photo("portrait")
    assert use_cases.attach_photo(storage, key, first)[1] is None
    assert use_cases.attach_photo(storage, key, second)[1] == first.ref


def test_what_is_missing_is_named_and_nothing_is_sent(storage: FakeStorage, key: Key) -> None:
    ask(storage, key, "portrait", "id_back", "answer", note="Vì sao số điện thoại khác?")
    use_cases.attach_photo(storage, key, photo("portrait"))
    with pytest.raises(StepOutOfOrder) as refused:
        send(storage, key)
    assert [problem.field for problem in refused.value.problems] == ["photos.id_back", "answer"]
    assert storage.tx.events(SUPPLEMENTED) == []


def test_what_was_not_asked_for_is_not_taken(storage: FakeStorage, key: Key) -> None:
    with pytest.raises(StepOutOfOrder):
        use_cases.attach_photo(storage, key, photo("portrait"))
    with pytest.raises(StepOutOfOrder):
        send(storage, key)
    ask(storage, key, "portrait")
    with pytest.raises(PhotoNotNeeded):
        use_cases.attach_photo(storage, key, photo("id_front"))


def test_sending_again_sends_nothing_again(storage: FakeStorage, key: Key) -> None:
    ask(storage, key, "portrait")
    use_cases.attach_photo(storage, key, photo("portrait"))
    assert send(storage, key) == send(storage, key, after_hours=3)
    assert len(storage.tx.events(SUPPLEMENTED)) == 1


def test_once_the_case_is_decided_nothing_is_asked_for_or_sent(storage: FakeStorage, key: Key) -> None:
    ask(storage, key, "portrait")
    assert key.registration_id is not None
    use_cases.note_verified(storage, key.registration_id, at=NOW + hours(2))
    ask(storage, key, "id_front", after_hours=3)
    with pytest.raises(StepOutOfOrder):
        send(storage, key)
    assert held(storage, key).status is Status.VERIFIED


@pytest.mark.parametrize("order", list(permutations([1, 2, 2, 3])))
def test_requests_in_any_order_and_twice_leave_the_one_asked_last(
    storage: FakeStorage, key: Key, order: tuple[int, ...]
) -> None:
    items = {1: "portrait", 2: "id_front", 3: "id_back"}
    for hour in order:
        ask(storage, key, items[hour], after_hours=hour)
    due = held(storage, key).supplement_due
    assert due is not None
    assert due.items == ("id_back",)


def test_a_request_that_comes_late_again_does_not_undo_the_answer(storage: FakeStorage, key: Key) -> None:
    ask(storage, key, "portrait")
    use_cases.attach_photo(storage, key, photo("portrait"))
    send(storage, key)
    ask(storage, key, "portrait")
    assert held(storage, key).status is Status.AWAITING_VISIT
    taken: tuple[Photo, ...] = held(storage, key).photos
    ask(storage, key, "id_front", after_hours=4)
    use_cases.attach_photo(storage, key, photo("id_front"))
    assert {p.kind for p in send(storage, key, after_hours=5).photos_kept} == {"portrait", "id_front"}
    assert taken[0] in held(storage, key).photos
