"""What receipts settle, in whichever order they and our own records come."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from services.notification import use_cases, writing
from services.notification.domain import Declined, Outcome, Purpose, Receipt, Sent, State, Unknown, verdict
from services.notification.tests.unit import examples
from services.notification.tests.unit.fakes import FakeMessages

NOW = examples.NOW
LATER = NOW + timedelta(seconds=15)
MUCH_LATER = NOW + timedelta(seconds=use_cases.RECEIPT_SECONDS)


def receipt(provider_id: str = "p1", *, delivered: bool = True, phone: str = examples.PHONE) -> Receipt:
    return Receipt(provider_id, phone, delivered, None if delivered else "receipt_undeliv")


@pytest.fixture
def storage() -> FakeMessages:
    return FakeMessages()


def begun(storage: FakeMessages) -> UUID:
    """A message on its way: its attempt is committed."""
    before = set(storage.held)
    writing.deliver_credentials(storage, examples.issued(channels=[{"kind": "sms", "to": examples.PHONE}]))
    (message_id,) = set(storage.held) - before
    use_cases.begin_attempt(storage, message_id, NOW)
    return message_id


def record(storage: FakeMessages, message_id: UUID, outcome: Outcome) -> None:
    use_cases.record(storage, message_id, outcome, receipt_wait_seconds=15.0, now=NOW)


def published(storage: FakeMessages) -> list[str]:
    return [e.type.split(".")[1] for e in storage.tx.additions if hasattr(e, "type")]


def test_a_receipt_settles_a_sent_message_once(storage: FakeMessages) -> None:
    message_id = begun(storage)
    record(storage, message_id, Sent(("p1",)))
    use_cases.note_receipts(storage, [receipt(), receipt()], LATER)
    use_cases.note_receipts(storage, [receipt()], LATER)
    assert storage.held[message_id].state is State.DELIVERED
    assert published(storage) == ["sent", "delivered"]


def test_a_receipt_that_comes_before_our_own_record_is_joined_to_it(storage: FakeMessages) -> None:
    message_id = begun(storage)
    use_cases.note_receipts(storage, [receipt()], NOW)
    assert storage.held[message_id].state is State.SENDING
    record(storage, message_id, Sent(("p1",)))
    assert storage.held[message_id].state is State.DELIVERED
    assert published(storage) == ["sent", "delivered"]


def test_an_undelivered_message_is_told_as_failed_with_the_reason(storage: FakeMessages) -> None:
    message_id = begun(storage)
    record(storage, message_id, Sent(("p1",)))
    use_cases.note_receipts(storage, [receipt(delivered=False)], LATER)
    assert storage.held[message_id].state is State.FAILED
    (event,) = storage.tx.events("notification.failed.v1")
    assert event.data["reason"] == "receipt_undeliv"


def test_a_message_of_two_parts_is_delivered_when_both_are(storage: FakeMessages) -> None:
    message_id = begun(storage)
    record(storage, message_id, Sent(("p1", "p2")))
    use_cases.note_receipts(storage, [receipt("p2")], LATER)
    assert storage.held[message_id].state is State.SENT
    use_cases.note_receipts(storage, [receipt("p1")], LATER)
    assert storage.held[message_id].state is State.DELIVERED


def test_a_late_receipt_settles_a_message_whose_answer_never_came(storage: FakeMessages) -> None:
    message_id = begun(storage)
    record(storage, message_id, Unknown("response_timeout"))
    use_cases.note_receipts(storage, [receipt("never-told")], NOW + timedelta(seconds=1))
    use_cases.settle_unknown(storage, message_id, LATER)
    assert storage.held[message_id].state is State.DELIVERED
    assert published(storage) == ["sent", "delivered"]


def test_without_a_receipt_an_unanswered_message_is_reported_failed_and_still_heard_later(
    storage: FakeMessages,
) -> None:
    message_id = begun(storage)
    record(storage, message_id, Unknown("connection_lost"))
    (due,) = storage.tx.due("report_unknown")
    assert due.at == LATER
    use_cases.settle_unknown(storage, message_id, LATER)  # without a receipt this says nothing
    use_cases.report_unknown(storage, message_id, LATER)
    use_cases.report_unknown(storage, message_id, LATER)
    assert storage.held[message_id].state is State.UNKNOWN
    assert published(storage) == ["failed"]
    assert storage.tx.events("notification.failed.v1")[0].data["reason"] == "no_answer"

    hours_later = LATER + timedelta(hours=3)
    use_cases.note_receipts(storage, [receipt("never-told")], hours_later)
    assert storage.tx.due("settle_unknown")[-1].at == hours_later + timedelta(seconds=2)
    use_cases.settle_unknown(storage, message_id, hours_later + timedelta(seconds=2))
    assert storage.held[message_id].state is State.DELIVERED
    assert published(storage) == ["failed", "sent", "delivered"]


def test_a_failure_reported_for_want_of_an_answer_is_not_reported_twice(storage: FakeMessages) -> None:
    message_id = begun(storage)
    record(storage, message_id, Unknown("connection_lost"))
    use_cases.report_unknown(storage, message_id, LATER)
    use_cases.note_receipts(storage, [receipt("never-told", delivered=False)], LATER)
    use_cases.settle_unknown(storage, message_id, LATER)
    assert storage.held[message_id].state is State.FAILED
    assert published(storage) == ["failed", "sent"]


def test_a_password_whose_receipt_never_comes_is_reported_failed_once_and_still_heard_later(
    storage: FakeMessages,
) -> None:
    message_id = begun(storage)
    record(storage, message_id, Sent(("p1",)))
    (due,) = storage.tx.due("report_unreceipted")
    assert due.at == NOW + timedelta(seconds=use_cases.RECEIPT_SECONDS)
    use_cases.report_unreceipted(storage, message_id, due.at)
    use_cases.report_unreceipted(storage, message_id, due.at)
    assert storage.held[message_id].state is State.SENT
    assert published(storage) == ["sent", "failed"]
    assert storage.tx.events("notification.failed.v1")[0].data["reason"] == "no_receipt"

    use_cases.note_receipts(storage, [receipt()], due.at + timedelta(hours=3))
    assert storage.held[message_id].state is State.DELIVERED
    assert published(storage) == ["sent", "failed", "delivered"]


def test_a_failure_reported_for_want_of_a_receipt_is_not_reported_twice(storage: FakeMessages) -> None:
    message_id = begun(storage)
    record(storage, message_id, Sent(("p1",)))
    use_cases.report_unreceipted(storage, message_id, MUCH_LATER)
    use_cases.note_receipts(storage, [receipt(delivered=False)], MUCH_LATER)
    assert storage.held[message_id].state is State.FAILED
    assert published(storage) == ["sent", "failed"]


def test_one_receipt_of_two_is_none(storage: FakeMessages) -> None:
    message_id = begun(storage)
    record(storage, message_id, Unknown("response_timeout"))
    record(storage, message_id, Sent(("p1", "p2")))
    use_cases.note_receipts(storage, [receipt("p1")], LATER)
    use_cases.report_unreceipted(storage, message_id, MUCH_LATER)
    assert published(storage) == ["sent", "failed"]


@pytest.mark.parametrize("delivered", [True, False])
def test_a_receipt_in_time_leaves_nothing_to_report(storage: FakeMessages, delivered: bool) -> None:
    message_id = begun(storage)
    record(storage, message_id, Sent(("p1",)))
    use_cases.note_receipts(storage, [receipt(delivered=delivered)], LATER)
    before = published(storage)
    use_cases.report_unreceipted(storage, message_id, MUCH_LATER)
    assert published(storage) == before


def test_the_time_for_a_receipt_counts_from_the_last_attempt(storage: FakeMessages) -> None:
    message_id = begun(storage)
    record(storage, message_id, Declined("smsc_status_88"))
    again = NOW + timedelta(hours=2)
    use_cases.begin_attempt(storage, message_id, again)
    use_cases.record(storage, message_id, Sent(("p1",)), receipt_wait_seconds=15.0, now=again)
    first = storage.tx.due("report_unreceipted")[0]
    use_cases.report_unreceipted(storage, message_id, first.at)
    assert published(storage) == ["sent"]
    last = storage.tx.due("report_unreceipted")[-1]
    assert last.at == again + timedelta(seconds=use_cases.RECEIPT_SECONDS)
    use_cases.report_unreceipted(storage, message_id, last.at)
    assert published(storage) == ["sent", "failed"]


def test_what_nobody_would_act_on_is_not_waited_for(storage: FakeMessages) -> None:
    writing.deliver_credentials(storage, examples.issued())
    for message in list(storage.held.values()):
        if message.purpose is not Purpose.CREDENTIALS:
            use_cases.begin_attempt(storage, message.id, NOW)
    assert storage.tx.due("report_unreceipted") == []


def test_a_receipt_of_another_message_to_the_phone_settles_only_that_one(storage: FakeMessages) -> None:
    first = begun(storage)
    record(storage, first, Unknown("response_timeout"))
    second = begun(storage)
    record(storage, second, Sent(("p2",)))
    use_cases.note_receipts(storage, [receipt("p2")], NOW)
    use_cases.settle_unknown(storage, first, LATER)
    assert storage.held[first].state is State.UNKNOWN
    assert storage.held[second].state is State.DELIVERED


def test_a_receipt_waits_while_a_message_to_the_phone_is_on_its_way(storage: FakeMessages) -> None:
    first = begun(storage)
    record(storage, first, Unknown("response_timeout"))
    second = begun(storage)
    use_cases.note_receipts(storage, [receipt("p2")], NOW)
    use_cases.report_unknown(storage, first, LATER)
    assert storage.held[first].state is State.UNKNOWN
    assert published(storage) == []
    assert storage.tx.due("report_unknown")[-1].at == LATER + timedelta(seconds=2)
    record(storage, second, Sent(("p2",)))
    assert storage.held[second].state is State.DELIVERED


def test_a_receipt_that_could_be_of_either_of_two_messages_settles_neither(storage: FakeMessages) -> None:
    first, second = begun(storage), begun(storage)
    record(storage, first, Unknown("response_timeout"))
    record(storage, second, Unknown("response_timeout"))
    use_cases.note_receipts(storage, [receipt("never-told")], NOW)
    use_cases.settle_unknown(storage, first, LATER)
    assert storage.held[first].state is State.UNKNOWN
    assert storage.held[second].state is State.UNKNOWN
    use_cases.report_unknown(storage, first, LATER)
    assert published(storage) == ["failed"]


def test_a_receipt_that_came_before_its_message_was_given_up_settles_it_soon(storage: FakeMessages) -> None:
    message_id = begun(storage)
    use_cases.note_receipts(storage, [receipt("never-told")], NOW)
    record(storage, message_id, Unknown("interrupted"))
    (due,) = storage.tx.due("settle_unknown")
    assert due.at == NOW + timedelta(seconds=2)
    use_cases.settle_unknown(storage, message_id, due.at)
    assert storage.held[message_id].state is State.DELIVERED
    use_cases.report_unknown(storage, message_id, LATER)
    assert published(storage) == ["sent", "delivered"]


def test_a_receipt_older_than_the_attempt_says_nothing_about_it(storage: FakeMessages) -> None:
    use_cases.note_receipts(storage, [receipt("somebody-elses")], NOW - timedelta(minutes=1))
    message_id = begun(storage)
    record(storage, message_id, Unknown("response_timeout"))
    use_cases.settle_unknown(storage, message_id, LATER)
    assert storage.held[message_id].state is State.UNKNOWN


def test_an_answer_that_comes_after_all_settles_an_unknown_message(storage: FakeMessages) -> None:
    message_id = begun(storage)
    record(storage, message_id, Unknown("interrupted"))
    record(storage, message_id, Sent(("p1",)))
    assert storage.held[message_id].state is State.SENT
    other = begun(storage)
    record(storage, other, Unknown("interrupted"))
    record(storage, other, Declined("smsc_status_88"))
    assert storage.held[other].state is State.FAILED  # its secret is gone: it cannot be tried again


def test_one_failed_part_fails_the_message() -> None:
    assert verdict([receipt("p1"), None]) is None
    assert verdict([receipt("p1"), receipt("p2", delivered=False)]) is State.FAILED
    assert verdict([receipt("p1"), receipt("p2")]) is State.DELIVERED
    assert verdict([]) is None


def test_the_messages_of_a_registration_tell_states_and_no_person(storage: FakeMessages) -> None:
    message_id = begun(storage)
    record(storage, message_id, Sent(("p1",)))
    (told,) = use_cases.messages(storage, examples.REGISTRATION)
    assert told["state"] == "sent"
    assert told["purpose"] == "credentials"
    text = str(told)
    assert not any(private in text for private in (examples.PHONE, "0123456789", "Mk7"))
