"""Resets by e-mail as their callers see them: a real process, RabbitMQ, PostgreSQL, Redis."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import argon2
import pytest

from services.identity.tests.integration.house import House, transaction_on
from services.identity.tests.integration.steps import OWN_PASSWORD, with_own_password
from services.identity.tests.register_server import with_result
from shared.messaging.calls import CallRefused

NEW_PASSWORD = "hai con thằn lằn con đùa nhau"
NOBODY = "9999999999"


@pytest.fixture
def owner(house: House, officer: str) -> dict[str, Any]:
    house.register.answer = with_result("matched")
    return with_own_password(house, officer)


def start(house: House, user: str, **more: Any) -> dict[str, Any]:
    client = {"address": more.pop("address", uuid.uuid4().hex)}
    reply: dict[str, Any] = house.call("start_email_reset", user=user, client=client, **more)
    return reply


def code_for(house: House, owner: dict[str, Any], number: int = 1) -> str:
    """The how-manieth code that went out."""
    account_id = owner["issued"]["account_id"]
    house.until(lambda: len(codes(house, account_id)) >= number, "no code was sent")
    told = codes(house, account_id)[number - 1]
    assert told["email"] == owner["email"]
    return house.notification.open(told["sealed_otp"])


def codes(house: House, account_id: str) -> list[Any]:
    return house.told("account.reset_requested.v1", account_id=account_id)


def finish(house: House, reset_id: str, code: str, new: str = NEW_PASSWORD, **more: Any) -> Any:
    return house.call(
        "finish_email_reset",
        reset_id=reset_id,
        sealed_otp=house.seal(code),
        sealed_new_password=house.seal(new),
        **more,
    )


def refusal(house: House, reset_id: str, code: str, new: str = NEW_PASSWORD, **more: Any) -> CallRefused:
    with pytest.raises(CallRefused) as refused:
        finish(house, reset_id, code, new, **more)
    return refused.value


def other_than(code: str) -> str:
    return "000000" if code != "000000" else "000001"


def row(house: House, reset_id: str) -> dict[str, Any]:
    (found,) = house.rows("SELECT * FROM email_resets WHERE id = %(id)s", id=reset_id)
    return found


@pytest.mark.proves("G3")
def test_the_code_from_the_e_mail_lets_one_choose_a_new_password_and_ends_what_was(
    house: House, owner: dict[str, Any]
) -> None:
    reset_id = start(house, owner["user"])["id"]
    code = code_for(house, owner)
    finish(house, reset_id, code)
    assert house.log_in(owner["user"], NEW_PASSWORD)["must_change_password"] is False
    with pytest.raises(CallRefused, match="LogInFailed"):
        house.log_in(owner["user"], OWN_PASSWORD)
    with pytest.raises(CallRefused, match="TokenInvalid"):
        house.call("me", sealed_token=house.seal(owner["token"]))
    account_id = owner["issued"]["account_id"]
    notices = house.told("account.notice_due.v1", account_id=account_id)
    assert [{"kind": "sms", "to": owner["phone"]}] in [notice["channels"] for notice in notices]
    assert code not in repr(row(house, reset_id))


def test_the_device_on_which_it_was_chosen_is_a_known_one(house: House, owner: dict[str, Any]) -> None:
    """What strangers tried does not count for it (row F13)."""
    finished = finish(house, start(house, owner["user"])["id"], code_for(house, owner))
    entered = house.call(
        "log_in",
        user=owner["user"],
        sealed_password=house.seal(NEW_PASSWORD),
        sealed_device_token=house.seal(house.gateway.open(finished["sealed_device_token"])),
        client={"address": uuid.uuid4().hex},
    )
    assert entered["sealed_device_token"] is None, "it was taken for a new one"


def test_a_confirmation_that_is_repeated_makes_one_device_and_its_last_token_is_known(
    house: House, owner: dict[str, Any]
) -> None:
    reset_id, code = start(house, owner["user"])["id"], code_for(house, owner)
    tokens = [finish(house, reset_id, code)["sealed_device_token"] for _ in range(3)]
    account_id = owner["issued"]["account_id"]
    assert len(house.rows("SELECT id FROM devices WHERE account_id = %(id)s", id=account_id)) == 1
    made = [
        house.call(
            "log_in",
            user=owner["user"],
            sealed_password=house.seal(NEW_PASSWORD),
            sealed_device_token=house.seal(house.gateway.open(token)),
            client={"address": uuid.uuid4().hex},
        )["sealed_device_token"]
        for token in reversed(tokens)
    ]
    assert made[0] is None, "it was taken for a new one"
    assert all(made[1:]), "an earlier answer's token still counts"


def test_known_and_unknown_are_answered_alike_and_only_the_known_gets_a_code(
    house: House, owner: dict[str, Any]
) -> None:
    answers = [
        start(house, owner["user"]),
        start(house, NOBODY),
        start(house, owner["user"], email="another@example.com"),
    ]
    assert {frozenset(answer) for answer in answers} == {frozenset({"id", "valid_until"})}
    code = code_for(house, owner)
    house.until(
        lambda: all(row(house, answer["id"])["user_name"] is None for answer in answers), "not looked up"
    )
    assert len(codes(house, owner["issued"]["account_id"])) == 1
    refusals = [refusal(house, answer["id"], other_than(code)) for answer in answers]
    refusals.append(refusal(house, str(uuid.uuid4()), code))
    assert {(one.name, one.vi, one.en, str(one.details)) for one in refusals} == {
        (refusals[0].name, refusals[0].vi, refusals[0].en, str(refusals[0].details))
    }
    assert refusals[0].name == "ResetRefused"


def test_a_code_is_refused_after_five_wrong_tries_late_used_or_of_another_reset(
    house: House, owner: dict[str, Any]
) -> None:
    one, other = start(house, owner["user"])["id"], start(house, owner["user"])["id"]
    house.until(lambda: len(codes(house, owner["issued"]["account_id"])) == 2, "two codes")
    both = {code_for(house, owner, 1), code_for(house, owner, 2)}
    wrong = next(code for code in ("000000", "000001", "000002") if code not in both)
    for _ in range(5):
        assert refusal(house, one, wrong).name == "ResetRefused"
    assert {refusal(house, one, code).name for code in both} == {"ResetRefused"}
    with transaction_on(house.dsn) as tx:
        tx.run("UPDATE email_resets SET valid_until = now() WHERE id = %(id)s", {"id": other})
    assert {refusal(house, other, code).name for code in both} == {"ResetRefused"}
    third = start(house, owner["user"])["id"]
    code = code_for(house, owner, 3)
    finish(house, third, code)
    assert refusal(house, third, code, "quite another password").name == "ResetRefused"
    assert house.log_in(owner["user"], NEW_PASSWORD)


def test_wrong_codes_of_whatever_resets_are_answered_a_hundred_times_an_hour_from_one_address(
    house: House, owner: dict[str, Any]
) -> None:
    stranger = {"client": {"address": uuid.uuid4().hex, "network": uuid.uuid4().hex}}
    for _ in range(100):
        assert refusal(house, str(uuid.uuid4()), "000000", **stranger).name == "ResetRefused"
    reset_id = start(house, owner["user"])["id"]
    code = code_for(house, owner)
    held_back = [refusal(house, reset_id, typed, **stranger) for typed in (other_than(code), code)]
    assert [one.name for one in held_back] == ["TooManyTries"] * 2
    assert 0 < held_back[0].details["retry_after_seconds"] <= 3600
    assert finish(house, reset_id, code, client={"address": uuid.uuid4().hex})


def test_a_password_that_is_refused_uses_up_neither_code_nor_tries(
    house: House, owner: dict[str, Any]
) -> None:
    reset_id = start(house, owner["user"])["id"]
    code = code_for(house, owner)
    for weak in ("short", "matkhau123", "Nguyễn Thị Thử", owner["user"], owner["document"]["number"]) * 2:
        refused = refusal(house, reset_id, code, weak)
        assert (refused.name, refused.problems[0].field) == ("PasswordTooWeak", "new_password")
    assert finish(house, reset_id, code)


def test_the_right_code_many_times_at_once_sets_one_password(house: House, owner: dict[str, Any]) -> None:
    reset_id = start(house, owner["user"])["id"]
    code = code_for(house, owner)

    def attempt(number: int) -> str | None:
        try:
            finish(house, reset_id, code, f"{NEW_PASSWORD} {number}")
        except CallRefused as refused:
            return refused.name
        return None

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(attempt, range(8)))
    assert sorted(map(str, outcomes)) == ["None"] + ["ResetRefused"] * 7
    assert house.log_in(owner["user"], f"{NEW_PASSWORD} {outcomes.index(None)}")
    account_id = owner["issued"]["account_id"]
    states = "SELECT state FROM credentials WHERE account_id = %(id)s AND state <> 'ended'"
    assert house.rows(states, id=account_id) == [{"state": "active"}]


def test_askings_are_limited_for_a_user_and_address_and_a_repeat_under_its_key_is_not_counted(
    house: House,
) -> None:
    client = {"client": {"address": "the stranger's"}}
    first = house.client.call(
        "identity", "start_email_reset", {"user": NOBODY, **client}, 60.0, idempotency_key="the same"
    )
    for _ in range(6):
        again = house.client.call(
            "identity", "start_email_reset", {"user": NOBODY, **client}, 60.0, idempotency_key="the same"
        )
        assert again == first
    for _ in range(4):
        start(house, NOBODY, address="the stranger's")
    with pytest.raises(CallRefused, match="ResetsTooMany") as refused:
        start(house, NOBODY, address="the stranger's")
    assert 0 < refused.value.details["retry_after_seconds"] <= 3600
    assert start(house, NOBODY)


def test_what_is_no_number_is_refused_by_its_field(house: House) -> None:
    with pytest.raises(CallRefused, match="RequestInvalid") as refused:
        start(house, "an@example.com", email="no address")
    assert [problem.field for problem in refused.value.problems] == ["user", "email"]


def test_a_hash_of_less_work_is_made_anew_at_the_next_log_in(house: House, owner: dict[str, Any]) -> None:
    weaker = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(OWN_PASSWORD)
    account_id = owner["issued"]["account_id"]
    with transaction_on(house.dsn) as tx:
        sql = "UPDATE credentials SET password_hash = %(hash)s WHERE account_id = %(id)s AND state = 'active'"
        tx.run(sql, {"hash": weaker, "id": account_id})
    for _ in range(2):
        assert house.log_in(owner["user"], OWN_PASSWORD)
        (kept,) = house.rows(
            "SELECT password_hash FROM credentials WHERE account_id = %(id)s AND state = 'active'",
            id=account_id,
        )
        assert "m=19456,t=2,p=1" in kept["password_hash"]
