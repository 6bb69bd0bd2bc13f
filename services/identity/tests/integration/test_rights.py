"""What a person asks of the running service about the own data."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from services.identity.tests.integration.house import House
from services.identity.tests.integration.steps import OWN_PASSWORD, refused, with_own_password
from shared.messaging.calls import CallRefused

pytestmark = pytest.mark.usefixtures("matching_register")


def test_a_correction_over_rpc_is_answered_once_and_told_once(house: House, officer: str) -> None:
    data = with_own_password(house, officer)
    token = house.seal(data["token"])
    asked = house.call("ask_correction", sealed_token=token, full_name="Nguyễn Thị Sửa")
    assert refused(house, "ask_correction", sealed_token=token, sex="x").name == "RequestInvalid"
    assert refused(house, "ask_correction", sealed_token=token, sex="male").name == "RequestPending"
    (waiting,) = [
        item
        for item in house.call("open_requests", sealed_staff_token=officer)["items"]
        if item["id"] == asked["id"]
    ]
    assert waiting["code"] == data["user"]
    answer = {
        "sealed_staff_token": officer,
        "request_id": asked["id"],
        "granted": True,
        "papers_checked": True,
    }
    made = [house.call("answer_request", **answer) for _ in range(2)]
    assert made[0] == made[1]
    assert house.call("me", sealed_token=token)["full_name"] == "Nguyễn Thị Sửa"
    account_id = house.call("me", sealed_token=token)["account_id"]
    house.until(lambda: house.told("account.request_answered.v1", account_id=account_id), "not told")
    (told,) = house.told("account.request_answered.v1", account_id=account_id)
    assert (told["request_kind"], told["outcome"]) == ("correction", "granted")


def test_a_withdrawal_races_a_change_of_password_and_leaves_no_way_in(house: House, officer: str) -> None:
    for _ in range(5):
        data = with_own_password(house, officer)
        token = house.seal(data["token"])

        def withdraw(data: dict[str, Any] = data, token: str = token) -> Any:
            return house.call(
                "withdraw_consent", sealed_token=token, sealed_password=house.seal(OWN_PASSWORD)
            )

        def change(data: dict[str, Any] = data) -> Any:
            return house.change_password(data["token"], OWN_PASSWORD, "mật khẩu khác, không ai biết")

        with ThreadPoolExecutor(2) as threads:
            answers = [threads.submit(act) for act in (withdraw, change)]
        granted = answers[0].exception() is None
        for answer in answers:
            assert answer.exception() is None or isinstance(answer.exception(), CallRefused)
        live = house.rows(
            "SELECT c.id FROM credentials c JOIN accounts a ON a.id = c.account_id"
            " WHERE a.code = %(code)s AND c.state <> 'ended'",
            code=data["user"],
        )
        assert len(live) == (0 if granted else 1)
