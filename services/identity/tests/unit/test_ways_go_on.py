"""What does not end the search for a way by which a first password arrives: a call to the hotline, and what
failed at a contact that the account has no more. On the fake."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from services.identity import use_cases
from services.identity.delivery import Way
from services.identity.tests.unit import samples
from services.identity.tests.unit.house import House
from services.identity.tests.unit.test_contact import ask
from services.identity.tests.unit.test_contact import finish as finish_change


def sms_due(house: House) -> int:
    return len(house.storage.tx.due("issue_credential"))


@pytest.mark.proves("G12")
def test_a_call_to_the_hotline_ends_no_search_for_a_way(house: House) -> None:
    """Whoever hears the password needs a code by SMS besides; and the caller may be a stranger."""
    for _ in range(2):
        sms = house.sms()
        house.call()
        house.hear(sms, "failed")
    link_id, _ = house.link()
    house.call()
    house.hear(link_id, "failed", by="email")
    assert house.followed() == ["counter_due"]


def test_a_call_that_voids_what_waits_is_told_to_its_registration_with_its_log_in(house: House) -> None:
    house.lost()
    for waiting in range(2):
        spoken = house.call()
        told = house.storage.tx.events("credentials.reissued.v1")
        assert len(told) == waiting + 1, "a second call voids what was read at the first"
        assert told[-1].data == {
            "credential_id": spoken.id,
            "account_id": house.account.id,
            "registration_id": house.case.registration_id,
            "valid_until": spoken.valid_until,
            "at": house.clock,
        }
    use_cases.log_in(house.storage, house.account, spoken, session_id=uuid4(), now=house.clock)
    (followed,) = house.storage.tx.events("credentials.followed.v1")
    assert (followed.data["credential_id"], followed.data["step"]) == (spoken.id, "logged_in")
    assert followed.data["registration_id"] == house.case.registration_id


def test_a_call_of_whoever_has_chosen_a_password_since_is_no_news_of_the_registration(house: House) -> None:
    house.sms()
    house.clock += timedelta(minutes=1)
    house.storage.add_credential(samples.active(house.account.id), str(uuid4()), house.clock)
    spoken = house.call()
    use_cases.log_in(house.storage, house.account, spoken, session_id=uuid4(), now=house.clock)
    assert house.storage.tx.events("credentials.reissued.v1") == []
    assert house.followed() == []


def test_a_slip_is_told_with_its_time(house: House) -> None:
    slip = house.hand_over()
    (told,) = house.storage.tx.events("credentials.followed.v1")
    assert told.data["valid_until"] == slip.valid_until
    assert slip.valid_until is not None


def test_whoever_logged_in_with_what_was_read_aloud_is_followed_no_more(house: House) -> None:
    sms, before = house.sms(), sms_due(house)
    spoken = house.call()
    use_cases.log_in(house.storage, house.account, spoken, session_id=uuid4(), now=house.clock)
    house.hear(sms, "failed")
    assert sms_due(house) == before
    assert house.live() == {spoken.id}


def test_whoever_chose_a_password_since_is_followed_no_more(house: House) -> None:
    sms, before = house.sms(), sms_due(house)
    house.clock += timedelta(minutes=1)
    house.storage.add_credential(samples.active(house.account.id), str(uuid4()), house.clock)
    spoken = house.call()
    house.hear(sms, "failed")
    assert sms_due(house) == before
    assert spoken.id in house.live()


def test_a_password_that_another_one_followed_before_the_call_is_not(house: House) -> None:
    first = house.sms()
    house.clock += timedelta(minutes=1)
    made = use_cases.NewSecret(uuid4(), "hash", "sealed")
    another = str(uuid4())
    use_cases.issue(house.storage, house.account.id, another, Way.SMS, made, now=house.clock, valid_hours=72)
    before = sms_due(house)
    house.call()
    house.hear(first, "failed")
    assert sms_due(house) == before
    house.hear(made.credential_id, "failed")
    assert house.storage.tx.due("issue_credential")[-1].key == f"{another} 1"


@pytest.mark.proves("G12")
def test_what_failed_at_the_old_phone_and_mailbox_does_not_count_at_the_new_ones(house: House) -> None:
    house.lost()
    finish_change(house.storage, ask(house.storage, email="new@example.com"))
    house.clock += timedelta(days=1)
    for _ in range(2):
        house.hear(house.sms(), "failed")
    assert house.followed() == []
    due = house.storage.tx.due("issue_activation_link")
    assert len(due) == 2, "no link to the new mailbox"
