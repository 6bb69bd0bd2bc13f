"""Links and slips as their callers see them: a real process, RabbitMQ, PostgreSQL, Redis."""

from __future__ import annotations

import base64
import uuid
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from services.identity.tests.integration.house import House
from services.identity.tests.integration.steps import OWN_PASSWORD, tell, verified
from services.identity.tests.register_server import with_result
from shared.events import notification as notification_events
from shared.messaging.calls import CallRefused

SMS = 4
LEAVES = "DELETE FROM staff_sessions s USING staff WHERE id = staff_id AND user_name = %(user)s RETURNING id"
"""The officer's sessions end, nobody else's."""


@pytest.fixture
def holder(house: House, officer: str) -> dict[str, Any]:
    """Somebody verified, with a first password by SMS."""
    house.register.answer = with_result("matched")
    return verified(house, officer)


def link_of(house: House, holder: dict[str, Any]) -> dict[str, Any]:
    """The link that goes out once every SMS has failed."""
    for number in range(1, SMS + 1):
        issued = house.until_told("credentials.issued.v1", holder["registration_id"], count=number)
        tell(house, notification_events.FAILED, issued[-1]["credential_id"])
    (told,) = house.until_told("credentials.link_issued.v1", holder["registration_id"])
    return {**told, "secret": house.notification.open(told["sealed_secret"])}


def activate(house: House, secret: str, code: str, new: str = OWN_PASSWORD) -> Any:
    return house.call(
        "activate",
        sealed_link=house.seal(secret),
        sealed_code=house.seal(code),
        sealed_new_password=house.seal(new),
    )


def refusal(house: House, secret: str, code: str) -> tuple[str, str, str]:
    with pytest.raises(CallRefused) as refused:
        activate(house, secret, code)
    return refused.value.name, refused.value.en, str(refused.value.details)


@pytest.mark.proves("G12")
@pytest.mark.proves("G15")
def test_the_link_lets_its_holder_choose_a_password_once_and_is_nowhere_in_clear(
    house: House, holder: dict[str, Any]
) -> None:
    link, code = link_of(house, holder), holder["person"]["code"]
    refusals = {
        refusal(house, link["secret"], "9999999999"),
        refusal(house, base64.urlsafe_b64encode(uuid.uuid4().bytes * 3).decode(), code),
        refusal(house, "no link", code),
    }
    assert len(refusals) == 1
    assert refusals.pop()[0] == "ActivationRefused"
    rows = house.rows(
        "SELECT * FROM credentials WHERE account_id = %(id)s", id=link["account_id"]
    ) + house.rows("SELECT * FROM jobs")
    assert link["secret"] not in repr(rows)
    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(lambda _: _is_activated(house, link["secret"], code), range(4)))
    assert outcomes == [True] * 4, "a repeat was told that it failed"
    assert not _is_activated(house, link["secret"], code, "một mật khẩu khác, đủ dài")
    assert house.log_in(code, OWN_PASSWORD)["must_change_password"] is False
    steps = [told["step"] for told in house.told("credentials.followed.v1", holder["registration_id"])]
    assert steps == ["activated"]
    assert link["secret"] not in house.process.tail(10**6)


def _is_activated(house: House, secret: str, code: str, new: str = OWN_PASSWORD) -> bool:
    try:
        activate(house, secret, code, new)
    except CallRefused:
        return False
    return True


@pytest.mark.proves("G12")
def test_a_slip_is_the_same_for_the_same_key_and_its_password_is_kept_nowhere_in_clear(
    house: House, holder: dict[str, Any]
) -> None:
    house.add_staff("leaving")
    leaving = house.seal(house.staff_token("leaving"))
    case_id, code = house.case_of(holder), holder["person"]["code"]
    arguments = {"sealed_staff_token": leaving, "case_id": case_id, "papers_checked": True}

    def hand_over(key: str) -> dict[str, Any]:
        reply: dict[str, Any] = house.client.call(
            "identity", "hand_over", arguments, deadline_seconds=60.0, idempotency_key=key
        )
        return reply

    key = uuid.uuid4().hex
    with ThreadPoolExecutor(3) as threads:
        first, *again = threads.map(lambda _: hand_over(key), range(3))
    assert again == [first, first]
    another = hand_over(uuid.uuid4().hex)
    void, password = (password_in(house, reply) for reply in (first, another))
    for ended in (holder["password"], void):
        with pytest.raises(CallRefused, match="LogInFailed"):
            house.log_in(code, ended)
    kept = [house.rows(f"SELECT * FROM {name}") for name in ("idempotency", "audit", "credentials")]  # noqa: S608
    assert password not in repr(kept)
    assert password not in house.process.tail(10**6)
    assert house.log_in(code, password)["must_change_password"]
    acts = house.rows("SELECT action FROM audit WHERE case_id = %(id)s", id=case_id)
    assert [act["action"] for act in acts].count("account_handed_over") == 2
    assert house.rows(LEAVES, user="leaving")
    with pytest.raises(CallRefused, match="TokenInvalid"):
        hand_over(key)  # kept for the key, but not for an officer who has left


def password_in(house: House, reply: dict[str, Any]) -> str:
    content = base64.b64decode(house.gateway.open(reply["sealed_slip"]))
    text = " ".join(PdfReader(BytesIO(content)).pages[0].extract_text().split())
    return text.partition("Mật khẩu lần đầu: ")[2].split()[0]
