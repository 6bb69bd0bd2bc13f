"""What each listener writes, and that it writes it once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from services.notification import writing
from services.notification.domain import Channel, Purpose
from services.notification.tests.unit import examples
from services.notification.tests.unit.fakes import FakeMessages
from shared.events.envelope import Event
from shared.messaging.outbox import Due


@pytest.fixture
def storage() -> FakeMessages:
    return FakeMessages()


def test_an_otp_becomes_one_email_that_expires_with_it(storage: FakeMessages) -> None:
    event = examples.otp_requested()
    writing.send_otp(storage, event)
    (message,) = storage.held.values()
    assert (message.channel, message.purpose, message.recipient) == (
        Channel.EMAIL,
        Purpose.EMAIL_OTP,
        examples.EMAIL,
    )
    assert message.sealed_secret == "sealed(123456)"
    assert message.valid_until == event.data["valid_until"]
    assert storage.tx.additions == [Due("send_email", key=str(message.id), at=examples.NOW)]


def test_a_reset_is_told_apart_from_an_email_confirmation(storage: FakeMessages) -> None:
    writing.send_otp(storage, examples.reset_requested())
    (message,) = storage.held.values()
    assert message.purpose is Purpose.RESET_OTP
    assert message.account_id == examples.ACCOUNT


@pytest.mark.proves("G12")
def test_credentials_become_an_sms_with_the_password_and_an_email_without_it(storage: FakeMessages) -> None:
    writing.deliver_credentials(storage, examples.issued())
    by_channel = {message.channel: message for message in storage.held.values()}
    assert set(by_channel) == {Channel.SMS, Channel.EMAIL}
    assert by_channel[Channel.SMS].purpose is Purpose.CREDENTIALS
    assert by_channel[Channel.SMS].sealed_secret == "sealed(Mk7-Qd2-Xv9-Tz4)"
    assert by_channel[Channel.EMAIL].purpose is Purpose.INSTRUCTIONS
    assert by_channel[Channel.EMAIL].sealed_secret is None
    assert "Mk7" not in str(by_channel[Channel.EMAIL])
    assert {due.key for due in storage.tx.due("send_sms")} == {str(by_channel[Channel.SMS].id)}
    assert {due.key for due in storage.tx.due("send_email")} == {str(by_channel[Channel.EMAIL].id)}


WRITING = [
    (writing.send_otp, examples.otp_requested(), 1),
    (writing.deliver_credentials, examples.issued(), 2),
    (writing.tell_rejected, examples.rejected(), 2),
    (writing.tell_closed, examples.closed(), 2),
    (writing.tell_guardianship_ended, examples.guardianship_ended(), 2),
    (writing.tell_supplement, examples.supplement_requested(), 2),
    (writing.remind, examples.reminder_due(), 2),
    (writing.tell_account, examples.notice_due(), 2),
    (writing.tell_request_answered, examples.request_answered(), 2),
]


@pytest.mark.parametrize(("tell", "event", "messages"), WRITING)
def test_the_same_event_twice_writes_its_messages_once(
    storage: FakeMessages, tell: Callable[[FakeMessages, Event], None], event: Event, messages: int
) -> None:
    tell(storage, event)
    tell(storage, event)
    assert len(storage.held) == messages
    assert len(storage.tx.due("send_sms") + storage.tx.due("send_email")) == messages


def test_the_end_of_a_guardianship_that_is_told_again_after_a_restore_is_written_once(
    storage: FakeMessages,
) -> None:
    first = examples.guardianship_ended()
    writing.tell_guardianship_ended(storage, first)
    writing.tell_guardianship_ended(storage, replace(first, id=uuid4()))
    assert len(storage.held) == 2
    later = first.data | {"ended_at": first.data["ended_at"] + timedelta(days=1)}
    writing.tell_guardianship_ended(storage, replace(first, id=uuid4(), data=later))
    assert len(storage.held) == 4, "it was confirmed again, and has ended again"


def test_a_notice_goes_only_where_the_event_says(storage: FakeMessages) -> None:
    writing.tell_account(storage, examples.notice_due("reissued"))
    assert {(m.channel, m.recipient) for m in storage.held.values()} == {
        (Channel.EMAIL, examples.EMAIL),
        (Channel.SMS, examples.PHONE),
    }
    assert {m.purpose for m in storage.held.values()} == {Purpose.REISSUED}


@pytest.mark.parametrize(
    ("exact_kind", "told"),
    [
        ("session_copied", Purpose.SESSION_COPIED),
        ("of a later version", Purpose.NEW_DEVICE),
        (None, Purpose.NEW_DEVICE),
    ],
)
def test_a_notice_says_what_happened_as_exactly_as_this_version_knows(
    storage: FakeMessages, exact_kind: str | None, told: Purpose
) -> None:
    writing.tell_account(storage, examples.notice_due("new_device", exact_kind=exact_kind))
    assert {m.purpose for m in storage.held.values()} == {told}
