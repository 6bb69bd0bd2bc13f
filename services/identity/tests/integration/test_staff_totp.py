"""Staff log-ins with ``STAFF_TOTP`` on: a real process, its servers, and an app that shows codes."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from deploy.native.instance import Instance
from services.identity import totp
from services.identity.parts import now
from services.identity.tests.integration.house import ENROLMENT_CODE, STAFF_PASSWORD, House
from shared.messaging.calls import CallRefused

NAME = f"identity_totp_{os.getpid()}"


@pytest.fixture(scope="module")
def house(servers: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The running service with the setting on."""
    house = House(servers, tmp_path_factory.mktemp("totp"), NAME, STAFF_TOTP="true")
    try:
        house.up()
        yield house
    finally:
        house.down()


@pytest.fixture
def user(house: House) -> str:
    """Of somebody without an app."""
    user = f"lan-{uuid.uuid4().hex[:8]}"
    house.add_staff(user)
    return user


def log_in(
    house: House, user: str, code: str | None = None, password: str = STAFF_PASSWORD, **more: str
) -> Any:
    sealed = {"sealed_password": house.seal(password), "sealed_totp": code and house.seal(code)}
    return house.call("staff_log_in", user=user, **sealed, **more)


def refused(
    house: House, user: str, code: str | None = None, password: str = STAFF_PASSWORD, **more: str
) -> CallRefused:
    with pytest.raises(CallRefused) as refusal:
        log_in(house, user, code, password, **more)
    return refusal.value


def shown(house: House, user: str, handed_over: str = ENROLMENT_CODE) -> bytes:
    """The secret that the app reads."""
    step = log_in(house, user, sealed_enrolment_code=house.seal(handed_over))
    assert step["next_step"] == "enrol"
    uri = urlsplit(house.gateway.open(step["sealed_totp_uri"]))
    assert uri.path == f"/VssID:{user}"
    return base64.b32decode(parse_qs(uri.query)["secret"][0])


def code(secret: bytes, steps_off: int = 0) -> str:
    return totp.code_of(secret, totp.step_at(now()) + steps_off)


def may_work(house: House, reply: Any) -> bool:
    token = house.gateway.open(reply["sealed_staff_token"])
    try:
        house.call("cases", sealed_staff_token=house.seal(token))
    except CallRefused as refusal:
        return refusal.name != "TokenInvalid"
    return True


def vssid(house: House, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    services = ("REGISTRATION", "IDENTITY", "NOTIFICATION", "HISTORY")
    told = {f"{service}_DATABASE_URL": house.dsn for service in services}
    environment = {**os.environ, **told, "AUDIT_FILE": str(folder / "audit.jsonl"), "VSSID_OPERATOR": "oanh"}
    environment.pop("RUN", None)
    command = [sys.executable, "-m", "deploy.vssid", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_an_app_is_set_up_at_the_first_log_in_and_its_codes_are_needed_from_then_on(
    house: House, user: str
) -> None:
    assert refused(house, user, password="wrong").name == "LogInFailed"
    assert refused(house, user).name == "EnrolmentCodeRequired"
    wrong = {"sealed_enrolment_code": house.seal("MFRG-GZDF-MZTW-Q2LK")}
    assert refused(house, user, **wrong).name == "EnrolmentCodeWrong"
    secret = shown(house, user)
    used = code(secret)
    assert may_work(house, log_in(house, user, used))
    for name, given in (("TotpRequired", None), ("TotpWrong", used)):
        refusal = refused(house, user, given)
        assert (refusal.name, [problem.field for problem in refusal.problems]) == (name, ["totp"])
    assert refused(house, user, code(secret, 1), password="wrong").name == "LogInFailed"
    assert may_work(house, log_in(house, user, code(secret, 1)))


LONG_AGO = "UPDATE staff SET totp_last_step = totp_last_step - 3 WHERE user_name = %(user)s RETURNING id"
"""As though the last log-in had been then: nobody waits half a minute for the next code."""


def test_of_log_ins_at_the_same_time_with_one_code_one_wins(house: House, user: str) -> None:
    secret = shown(house, user)
    for _ in range(2):  # the code that makes the app final, and another
        given = code(secret)
        with ThreadPoolExecutor(6) as threads:
            names = list(threads.map(lambda _: outcome(house, user, given), range(6)))  # noqa: B023
        assert sorted(names) == ["TotpWrong"] * 5 + ["in"]
        house.rows(LONG_AGO, user=user)


def outcome(house: House, user: str, given: str) -> str:
    try:
        log_in(house, user, given)
    except CallRefused as refusal:
        return refusal.name
    return "in"


def test_an_operator_resets_what_a_lost_phone_held_and_that_is_on_record(
    house: House, user: str, tmp_path: Path
) -> None:
    before = shown(house, user)
    session = log_in(house, user, code(before))
    done = vssid(house, tmp_path, "staff", "reset-totp", user)
    assert done.returncode == 0, done.stderr
    assert not may_work(house, session)
    handed_over = done.stdout.split("72 hours: ")[1].strip()
    assert handed_over not in (tmp_path / "audit.jsonl").read_text()
    assert refused(house, user, sealed_enrolment_code=house.seal(ENROLMENT_CODE)).name == "EnrolmentCodeWrong"
    after = shown(house, user, handed_over)
    assert refused(house, user, code(before)).name == "TotpWrong"
    assert may_work(house, log_in(house, user, code(after)))
    rows = house.rows(
        "SELECT action, details FROM audit JOIN staff s ON s.id = staff_id WHERE user_name = %(u)s"
        " AND action LIKE 'totp%%' ORDER BY audit.id",
        u=user,
    )
    assert [row["action"] for row in rows] == ["totp_enrolled", "totp_reset", "totp_enrolled"]
    assert rows[1]["details"] == {"by": "oanh"}
    assert '"staff_totp_reset"' in (tmp_path / "audit.jsonl").read_text()
    assert "nobody has" in vssid(house, tmp_path, "staff", "reset-totp", "nobody.here").stderr


def test_a_desk_where_the_officer_was_logged_in_is_not_held_back_by_guesses_at_its_address(
    house: House, user: str
) -> None:
    secret = shown(house, user)
    device = house.gateway.open(log_in(house, user, code(secret))["sealed_device_token"])
    names = [refused(house, user, password="guess").name for _ in range(11)]
    assert names == ["LogInFailed"] * 10 + ["TooManyTries"]
    reply = log_in(house, user, code(secret, 1), sealed_device_token=house.seal(device))
    assert may_work(house, reply)
    assert reply["sealed_device_token"] is None
