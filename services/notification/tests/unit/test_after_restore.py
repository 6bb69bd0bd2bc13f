"""After a restore: what may have gone out is not sent again, what is known is told again."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from services.notification import use_cases, writing
from services.notification.domain import Purpose, Sent, State
from services.notification.tests.unit import examples
from services.notification.tests.unit.fakes import FakeMessages

NOW = examples.NOW


@pytest.fixture
def storage() -> FakeMessages:
    return FakeMessages()


def written(storage: FakeMessages) -> UUID:
    writing.deliver_credentials(storage, examples.issued(channels=[{"kind": "sms", "to": examples.PHONE}]))
    return list(storage.held)[-1]


def given_up(storage: FakeMessages) -> int:
    return use_cases.give_up_in_flight(storage, receipt_wait_seconds=15.0, limit=10, now=NOW)


def test_what_waited_or_was_being_sent_may_have_gone_out_and_is_not_sent_again(storage: FakeMessages) -> None:
    waiting, sending, sent = (written(storage) for _ in range(3))
    for message_id in (sending, sent):
        use_cases.begin_attempt(storage, message_id, NOW)
    use_cases.record(storage, sent, Sent(("p1",)), receipt_wait_seconds=15.0, now=NOW)
    assert given_up(storage) == 2
    assert [storage.held[m].state for m in (waiting, sending, sent)] == [
        State.UNKNOWN,
        State.UNKNOWN,
        State.SENT,
    ]
    assert storage.held[waiting].sealed_secret is None
    assert use_cases.take_up(storage, waiting, receipt_wait_seconds=15.0, now=NOW) is None
    assert {due.key for due in storage.tx.due("report_unknown")} == {str(waiting), str(sending)}
    assert given_up(storage) == 0


def test_what_became_of_a_message_is_told_again(storage: FakeMessages) -> None:
    message_id = written(storage)
    use_cases.begin_attempt(storage, message_id, NOW)
    use_cases.record(storage, message_id, Sent(("p1",)), receipt_wait_seconds=15.0, now=NOW)
    use_cases.tell_outcome_again(storage, message_id, NOW)
    first, again = storage.tx.events("notification.sent.v1")
    assert (again.data["message_id"], again.id == first.id) == (first.data["message_id"], False)


def test_one_without_an_answer_is_told_to_have_failed(storage: FakeMessages) -> None:
    message_id = written(storage)
    given_up(storage)
    use_cases.report_unknown(storage, message_id, NOW + timedelta(seconds=15))
    use_cases.tell_outcome_again(storage, message_id, NOW)
    assert [e.data["reason"] for e in storage.tx.events("notification.failed.v1")] == ["no_answer"] * 2


def test_of_one_that_is_on_its_way_there_is_nothing_to_tell(storage: FakeMessages) -> None:
    use_cases.tell_outcome_again(storage, written(storage), NOW)
    assert not [addition for addition in storage.tx.additions if hasattr(addition, "type")]


def test_an_ending_that_another_event_tells_again_is_not_told_to_the_citizen_again(
    storage: FakeMessages,
) -> None:
    writing.tell_rejected(storage, examples.rejected())
    before = dict(storage.held)
    writing.tell_rejected(storage, examples.rejected())
    writing.tell_closed(storage, examples.closed())
    assert storage.held == before
    assert {message.purpose for message in before.values()} == {Purpose.REJECTED}
