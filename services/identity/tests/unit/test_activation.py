"""A link by e-mail, for whom no SMS has reached: on the fake."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.identity import jobs, use_cases
from services.identity.credentials import CredentialState
from services.identity.delivery import Way
from services.identity.password_rules import PasswordTooWeak
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.house import CODE, LATER, OWN, POLICY, House
from services.identity.tests.unit.samples import NOW
from services.identity.tests.unit.test_contact import ask
from services.identity.tests.unit.test_contact import finish as finish_change


@pytest.mark.proves("G12")
def test_after_the_last_sms_a_link_goes_to_the_e_mail_and_after_that_the_counter_is_next(
    house: House,
) -> None:
    link_id, secret = house.lost()
    (told,) = house.storage.tx.events("credentials.link_issued.v1")
    assert (told.data["email"], told.data["registration_id"]) == (
        "thu@example.com",
        house.case.registration_id,
    )
    assert told.data["valid_until"] == NOW + timedelta(hours=72)
    assert house.live() == {link_id}
    assert secret not in repr(house.storage.credentials[link_id])
    assert house.followed() == []
    house.hear(link_id, "failed", by="email")
    house.hear(link_id, "failed", by="email")
    assert house.followed() == ["counter_due"]
    assert house.live() == {link_id}


def test_the_instructions_by_e_mail_say_nothing_of_the_password(house: House) -> None:
    first = house.sms()
    message = {"credential_id": first, "channel": "email", "purpose": "instructions"}
    use_cases.note_delivery(house.storage, message, "failed", policy=POLICY, now=NOW)
    assert house.storage.delivery(first) is None


def test_a_cause_has_one_link_however_often_the_job_runs(house: House) -> None:
    link_id, _ = house.lost()
    (due,) = house.storage.tx.due("issue_activation_link")
    jobs.issue(house.parts, due, Way.LINK)(house.storage.tx)  # type: ignore[arg-type]
    assert house.live() == {link_id}


@pytest.mark.proves("G15")
def test_a_link_and_the_code_let_its_holder_choose_a_password_and_end_what_was_before(house: House) -> None:
    own = samples.active(house.account.id)
    house.storage.add_credential(own, str(uuid4()), NOW - timedelta(days=1))
    link_id, secret = house.lost()
    assert house.live() == {own.id, link_id}
    assert house.activates(secret)
    (chosen,) = house.storage.live_credentials(house.account.id)
    assert (chosen.state, chosen.password_hash) == (CredentialState.ACTIVE, f"hash of {OWN}")
    assert house.followed() == ["activated"]
    (notice,) = house.storage.tx.events("account.notice_due.v1")
    assert (notice.data["kind"], notice.data["channels"]) == (
        "password_changed",
        [{"kind": "sms", "to": "+84912345678"}],
    )
    assert house.storage.delivery(link_id) == "delivered"


def test_a_links_secret_is_no_password(house: House) -> None:
    house.lost()
    found = use_cases.find_account(house.storage, CODE)
    assert found is not None
    assert found.credentials == ()


def test_a_weak_password_uses_up_neither_the_link_nor_a_try(house: House) -> None:
    _, secret = house.lost()
    for weak in ("ngắn", CODE):
        with pytest.raises(PasswordTooWeak):
            house.activates(secret, new=weak)
    assert house.storage.tries_left == {}
    assert house.activates(secret, code=" 001190000001 ")


def test_while_the_contact_is_in_doubt_a_link_opens_nothing_and_after_a_change_it_is_void(
    house: House,
) -> None:
    _, secret = house.lost()
    house.clock = LATER
    change = ask(house.storage)
    assert not house.activates(secret)
    finish_change(house.storage, change)
    assert not house.activates(secret)
    assert len(house.storage.tx.due("issue_credential")) == 3


def links_are_good_once(house: House) -> None:
    _, secret = house.lost()
    forged = house.proofs.new(house.proofs.owner(secret))
    for wrong in ("", "no link", forged, house.proofs.new(uuid4())):
        assert not house.activates(wrong), "a forged link was accepted"
    assert not house.activates(secret, code="9999999999"), "a link was accepted with another's code"
    house.clock = NOW + timedelta(hours=72)
    assert not house.activates(secret), "a late link was accepted"
    house.clock = NOW
    assert house.activates(secret)
    assert not house.activates(secret, new="hai con thằn lằn con"), "a link was accepted twice"


def test_forged_links_by_whomever_keep_nobody_out_behind_the_same_address(house: House) -> None:
    _, secret = house.lost()
    for _ in range(50):
        assert not house.activates(house.proofs.new(house.proofs.owner(secret)))
    assert house.activates(secret)


def test_a_repeat_whose_answer_was_lost_is_answered_again_and_changes_nothing(house: House) -> None:
    _, secret = house.lost()
    assert house.activates(secret)
    before = house.live()
    for _ in range(6):
        assert house.activates(secret), "a repeat was told that it failed"
    assert house.live() == before
    assert house.followed() == ["activated"]
    assert not house.activates(secret, code="9999999999")
    for _ in range(4):
        assert not house.activates(secret, new="hai con thằn lằn con")
    assert not house.activates(secret), "passwords are guessed without end"


def guesses_end(house: House) -> None:
    _, secret = house.lost()
    for _ in range(5):
        assert not house.activates(secret, code="9999999999")
    assert not house.activates(secret), "codes are guessed without end"


@pytest.mark.proves("G15")
@pytest.mark.parametrize("holds", [links_are_good_once, guesses_end])
def test_a_link_that_is_forged_guessed_used_or_late_is_refused(
    house: House, holds: Callable[[House], None]
) -> None:
    holds(house)


end_credentials = FakeStorage.end_credentials


def links_stay(storage: FakeStorage, ids: Any, at: datetime) -> int:
    return end_credentials(storage, [i for i in ids if storage.credentials[i].channel != Way.LINK], at)


def any_secret(_one: Any, _other: Any) -> bool:
    return True


@pytest.mark.planted("G15")
@pytest.mark.parametrize(
    ("place", "name", "defect", "holds", "seen"),
    [
        (use_cases.activation.hmac, "compare_digest", any_secret, links_are_good_once, "forged"),
        (use_cases.activation, "_is_late", lambda *_: False, links_are_good_once, "late"),
        (FakeStorage, "end_credentials", links_stay, links_are_good_once, "twice"),
        (FakeStorage, "count_link_try", lambda *_: None, guesses_end, "without end"),
    ],
    ids=["any secret fits", "valid for ever", "used again and again", "tries without end"],
)
def test_a_link_that_is_good_for_more_is_seen(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    place: Any,
    name: str,
    defect: Callable[..., Any],
    holds: Callable[[House], None],
    seen: str,
) -> None:
    monkeypatch.setattr(place, name, defect)
    with pytest.raises(AssertionError, match=seen):
        holds(house)


def test_a_link_waits_for_the_end_of_a_change_of_contact(house: House) -> None:
    for _ in range(2):
        house.hear(house.sms(), "failed")
    ask(house.storage)
    (due,) = house.storage.tx.due("issue_activation_link")
    jobs.issue(house.parts, due, Way.LINK)(house.storage.tx)  # type: ignore[arg-type]
    assert house.live() == set()
    again = house.storage.tx.due("issue_activation_link")[-1]
    assert (again.key, again.at) == (due.key, NOW + timedelta(seconds=10))
