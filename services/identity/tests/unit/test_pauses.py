"""Another SMS with a first password waits for a while, and for whoever has the first one after all: on the
fake."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.identity import use_cases
from services.identity.delivery import Policy
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.house import House
from services.identity.tests.unit.test_contact import ask
from services.identity.tests.unit.test_contact import finish as finish_change

POLICY = Policy(sms=4, link=True, pauses=[timedelta(minutes=minutes) for minutes in (1, 10, 60)])


def fails(house: House, credential_id: UUID, reason: str = "receipt_undeliv") -> None:
    house.hear(credential_id, "failed", reason=reason, policy=POLICY)


def passwords_due(house: House) -> int:
    return len(house.storage.tx.due("issue_credential"))


def pause_is_over(house: House) -> None:
    due = house.storage.tx.due(use_cases.REPLACE_CREDENTIAL)[-1]
    house.clock = max(house.clock, due.at)
    use_cases.replace_after_pause(house.storage, UUID(due.key), POLICY, house.clock)


def waits_for_the_phone(house: House) -> None:
    """The whole of it: three pauses, and after the last SMS none."""
    for number, minutes in enumerate((1, 10, 60), 1):
        sms, failed_at = house.sms(), house.clock
        fails(house, sms)
        assert passwords_due(house) == number, "another SMS was due at once"
        assert house.live() == {sms}, "what may have arrived is good for nothing"
        due = house.storage.tx.due(use_cases.REPLACE_CREDENTIAL)[-1]
        assert due.at == failed_at + timedelta(minutes=minutes)
        pause_is_over(house)
        assert (passwords_due(house), house.live()) == (number + 1, set()), "nothing followed"
        pause_is_over(house)
        assert passwords_due(house) == number + 1, "one failure was followed twice"
    fails(house, house.sms())
    assert len(house.storage.tx.due("issue_activation_link")) == 1, "the link is not due at once"


@pytest.mark.proves("G12")
def test_another_sms_waits_longer_each_time_and_the_link_not_at_all(house: House) -> None:
    waits_for_the_phone(house)


@pytest.mark.planted("G12")
def test_that_sms_follow_one_another_at_once_is_seen(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Policy, "pause", lambda *_: timedelta(0))
    with pytest.raises(AssertionError, match="at once"):
        waits_for_the_phone(house)


def what_arrived_is_not_replaced(house: House) -> None:
    sms = house.sms()
    fails(house, sms, "no_receipt")
    house.hear(sms, "delivered", policy=POLICY)
    pause_is_over(house)
    assert passwords_due(house) == 1, "what had arrived was replaced"
    assert house.live() == {sms}


@pytest.mark.proves("G12")
def test_a_receipt_that_comes_in_the_pause_stops_the_replacement(house: House) -> None:
    what_arrived_is_not_replaced(house)


@pytest.mark.planted("G12")
def test_that_a_late_receipt_is_not_heard_is_seen(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    note: Any = FakeStorage.note_delivery

    def final(storage: FakeStorage, credential_id: UUID, state: str) -> bool:
        return storage.delivery(credential_id) != "failed" and note(storage, credential_id, state)

    monkeypatch.setattr(FakeStorage, "note_delivery", final)
    with pytest.raises(AssertionError, match="was replaced"):
        what_arrived_is_not_replaced(house)


@pytest.mark.proves("G12")
def test_whoever_logs_in_in_the_pause_is_followed_no_more(house: House) -> None:
    sms = house.sms()
    fails(house, sms)
    first = house.storage.credentials[sms]
    use_cases.log_in(house.storage, house.account, first, session_id=uuid4(), now=house.clock)
    pause_is_over(house)
    assert (passwords_due(house), house.live()) == (1, {sms})


def test_a_receipt_for_what_was_replaced_changes_nothing(house: House) -> None:
    sms = house.sms()
    fails(house, sms)
    pause_is_over(house)
    house.hear(sms, "delivered", policy=POLICY)
    assert house.storage.delivery(sms) == "failed"


def test_a_slip_of_the_counter_in_the_pause_is_not_followed(house: House) -> None:
    fails(house, house.sms())
    slip = house.hand_over()
    pause_is_over(house)
    assert (passwords_due(house), house.live()) == (1, {slip.id})


def test_a_call_to_the_hotline_in_the_pause_does_not_end_the_search(house: House) -> None:
    fails(house, house.sms())
    house.call()
    pause_is_over(house)
    assert passwords_due(house) == 2


def test_another_contact_in_the_pause_gets_one_password_at_once(house: House) -> None:
    fails(house, house.sms())
    finish_change(house.storage, ask(house.storage, email="new@example.com"))
    assert passwords_due(house) == 2
    pause_is_over(house)
    assert passwords_due(house) == 2, "one went to each contact"


@pytest.mark.proves("G12")
@pytest.mark.parametrize("reason", ["receipt_rejectd", "smsc_status_11"])
def test_where_the_sms_centre_refuses_the_number_the_link_is_due_at_once(house: House, reason: str) -> None:
    fails(house, house.sms(), reason)
    link_id, _ = house.link()
    assert passwords_due(house) == 1
    house.hear(link_id, "failed", by="email", policy=POLICY)
    assert (passwords_due(house), house.followed()) == (1, ["counter_due"])


def test_the_instructions_go_once_to_each_mailbox(house: House) -> None:
    house.lost()
    finish_change(house.storage, ask(house.storage, email="new@example.com"))
    house.clock += timedelta(days=1)
    for _ in range(2):
        house.hear(house.sms(), "failed")
    issued = house.storage.tx.events("credentials.issued.v1")
    told = [[one["to"] for one in event.data["channels"] if one["kind"] == "email"] for event in issued]
    assert told == [["thu@example.com"], [], ["new@example.com"], []], "the same e-mail again"
    assert all(event.data["channels"][0]["kind"] == "sms" for event in issued)
