"""What any store of messages must do: run on the fake and on PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from uuid import UUID, uuid4

from services.notification.domain import Channel, Kept, Message, Purpose, Receipt, State
from services.notification.tests.unit.examples import NOW, PHONE, REGISTRATION
from services.notification.use_cases import Storage

Open = Callable[[], AbstractContextManager[Storage]]


def message(**changes: object) -> Message:
    fields: dict = {
        "cause_event_id": uuid4(),
        "channel": Channel.SMS,
        "purpose": Purpose.CREDENTIALS,
        "recipient": PHONE,
        "language": "vi",
        "facts": {"code": "0123456789", "reason": "Ảnh mờ"},
        "sealed_secret": "sealed(x)",
        "valid_until": NOW + timedelta(hours=1),
        "registration_id": REGISTRATION,
        "credential_id": uuid4(),
    }
    return Message(**(fields | changes))


class StorageContract:
    """Inherit it and give a fixture ``opened``: each call is a transaction on the same store."""

    def test_a_message_is_found_as_it_was_written(self, opened: Open) -> None:
        written = message()
        with opened() as storage:
            assert storage.add_message(written, NOW)
        with opened() as storage:
            assert storage.message(written.id) == written
            assert storage.message(uuid4()) is None

    def test_one_cause_channel_and_purpose_is_one_message(self, opened: Open) -> None:
        written = message()
        with opened() as storage:
            assert storage.add_message(written, NOW)
            assert not storage.add_message(written, NOW)
        other_channel = message(cause_event_id=written.cause_event_id, channel=Channel.EMAIL)
        with opened() as storage:
            assert not storage.add_message(message(cause_event_id=written.cause_event_id), NOW)
            assert storage.add_message(other_channel, NOW)

    def test_sms_are_counted_for_each_day_and_phone_up_to_a_number(self, opened: Open) -> None:
        phone, today = uuid4().hex, NOW.date()
        counts = [(today, phone), (today, phone), (today, phone), (today, f"{phone}."), (NOW.date(), phone)]
        told = []
        for day, recipient in [*counts, (today + timedelta(days=1), phone)]:
            with opened() as storage:
                told.append(storage.count_sms(day, recipient, 2))
        assert told == [True, True, False, True, False, True]

    def test_a_state_and_an_erased_secret_stay(self, opened: Open) -> None:
        written = self.kept(opened)
        with opened() as storage:
            storage.set_state(written, State.SENT, None, NOW)
            storage.erase_secret(written)
        with opened() as storage:
            found = storage.message(written)
            assert found is not None
            assert (found.state, found.sealed_secret) == (State.SENT, None)

    def test_attempts_are_counted_and_end_once(self, opened: Open) -> None:
        written = self.kept(opened)
        with opened() as storage:
            assert storage.last_attempt_at(written) is None
            storage.end_attempt(written, "declined", "unreachable", NOW)  # none was begun: nothing to end
            storage.begin_attempt(written, 1, NOW)
            storage.end_attempt(written, "declined", "throttled", NOW)
            storage.begin_attempt(written, 2, NOW + timedelta(seconds=5))
        with opened() as storage:
            found = storage.message(written)
            assert found is not None
            assert found.attempts == 2
            assert storage.last_attempt_at(written) == NOW + timedelta(seconds=5)

    def test_a_receipt_after_the_record_names_its_message(self, opened: Open) -> None:
        written = self.kept(opened)
        with opened() as storage:
            storage.add_parts(written, ["p1", "p2"])
            assert storage.parts(written) == [None, None]
        with opened() as storage:
            assert storage.keep_receipt(self.receipt("p2"), NOW) == Kept(True, written)
        with opened() as storage:
            assert storage.parts(written) == [None, self.receipt("p2")]

    def test_a_receipt_before_the_record_is_found_by_it(self, opened: Open) -> None:
        written = self.kept(opened)
        with opened() as storage:
            assert storage.keep_receipt(self.receipt("p1"), NOW) == Kept(True, None)
        with opened() as storage:
            assert storage.stray_receipts(PHONE, NOW) == [self.receipt("p1")]
            storage.add_parts(written, ["p1"])
        with opened() as storage:
            assert storage.parts(written) == [self.receipt("p1")]
            assert storage.stray_receipts(PHONE, NOW) == []

    def test_the_first_receipt_about_a_part_counts(self, opened: Open) -> None:
        with opened() as storage:
            storage.keep_receipt(self.receipt("p1"), NOW)
            again = Receipt("p1", PHONE, False, "receipt_undeliv")
            assert storage.keep_receipt(again, NOW) == Kept(False, None)
            assert storage.stray_receipts(PHONE, NOW) == [self.receipt("p1")]

    def test_a_part_stays_with_its_first_message(self, opened: Open) -> None:
        first, second = self.kept(opened), self.kept(opened)
        with opened() as storage:
            storage.add_parts(first, ["p1"])
            storage.add_parts(second, ["p1"])
            assert storage.parts(second) == []

    def test_stray_receipts_are_those_of_the_phone_since_then(self, opened: Open) -> None:
        with opened() as storage:
            storage.keep_receipt(self.receipt("old"), NOW - timedelta(seconds=1))
            storage.keep_receipt(Receipt("other", "+84912000999", True), NOW)
            storage.keep_receipt(self.receipt("new"), NOW)
            assert storage.stray_receipts(PHONE, NOW) == [self.receipt("new")]

    def test_open_messages_are_sms_on_their_way_or_unknown(self, opened: Open) -> None:
        states = [State.WAITING, State.SENDING, State.UNKNOWN, State.SENT, State.FAILED]
        ids = {state: self.kept(opened) for state in states}
        mail = self.kept(opened, channel=Channel.EMAIL)
        with opened() as storage:
            for state, message_id in ids.items():
                storage.set_state(message_id, state, None, NOW)
            storage.set_state(mail, State.UNKNOWN, None, NOW)
            found = {m.id for m in storage.open_messages(PHONE)}
            assert found == {ids[State.SENDING], ids[State.UNKNOWN]}
            assert storage.open_messages("+84912000999") == []

    def test_the_messages_of_a_registration_come_oldest_first(self, opened: Open) -> None:
        first, second = message(), message()
        with opened() as storage:
            storage.add_message(first, NOW)
            storage.add_message(second, NOW + timedelta(seconds=1))
            storage.add_message(message(registration_id=uuid4()), NOW)
            storage.set_state(first.id, State.SENT, None, NOW + timedelta(seconds=9))
        with opened() as storage:
            found = storage.of_registration(REGISTRATION)
            assert [(m.id, at) for m, at in found] == [
                (first.id, NOW + timedelta(seconds=9)),
                (second.id, NOW + timedelta(seconds=1)),
            ]

    def test_what_another_cause_has_told_of_a_registration_is_known(self, opened: Open) -> None:
        registration, first, second = uuid4(), uuid4(), uuid4()
        endings = (Purpose.REJECTED, Purpose.CLOSED)
        with opened() as storage:
            assert not storage.was_told(registration, endings, first)
        self.kept(opened, registration_id=registration, cause_event_id=first, purpose=Purpose.REJECTED)
        with opened() as storage:
            assert storage.was_told(registration, endings, second)
            assert not storage.was_told(registration, endings, first)
            assert not storage.was_told(registration, (Purpose.REMINDER,), second)
            assert not storage.was_told(uuid4(), endings, second)

    def test_what_another_cause_has_told_an_account_of_is_known(self, opened: Open) -> None:
        account, first, second = uuid4(), uuid4(), uuid4()
        purpose, at = Purpose.GUARDIANSHIP_ENDED, NOW.isoformat()
        facts = {"at": at, "reason": "custody_changed"}
        self.kept(opened, account_id=account, cause_event_id=first, purpose=purpose, facts=facts)
        with opened() as storage:
            assert storage.was_told_of(account, purpose, at, second)
            assert not storage.was_told_of(account, purpose, at, first)
            assert not storage.was_told_of(account, purpose, (NOW + timedelta(days=1)).isoformat(), second)
            assert not storage.was_told_of(account, Purpose.REMINDER, at, second)
            assert not storage.was_told_of(uuid4(), purpose, at, second)

    def test_messages_in_flight_wait_or_are_being_sent(self, opened: Open) -> None:
        with opened() as storage:
            before = set(storage.in_flight(1000))
        ids = {state: self.kept(opened) for state in State}
        with opened() as storage:
            for state, message_id in ids.items():
                storage.set_state(message_id, state, None, NOW)
            assert set(storage.in_flight(1000)) - before == {ids[State.WAITING], ids[State.SENDING]}
            assert len(storage.in_flight(1)) == 1

    @staticmethod
    def kept(opened: Open, **changes: object) -> UUID:
        written = message(**changes)
        with opened() as storage:
            storage.add_message(written, NOW)
        return written.id

    @staticmethod
    def receipt(provider_id: str) -> Receipt:
        return Receipt(provider_id, PHONE, True, None)
