"""The population register as its callers see it, over HTTP."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.stand_ins.tests.conftest import Program, Start

TOKEN = "secret"
LAN = {
    "personalNumber": "001190000001",
    "cmnd": "011000001",
    "fullName": "Trần Thị Thử Lan",
    "birthDate": "1990-05-17",
    "code": "0100000001",
}
OLD_MAN = {
    "personalNumber": "001057000002",
    "fullName": "Lê Văn Thử An",
    "birthDate": "1957",
    "code": "0100000002",
}
ASKED = {
    "requestId": "r-1",
    "serviceCode": "VSSID",
    "unitCode": "01",
    "officerCode": "auto",
    "personalNumber": "001190000001",
    "fullName": "Trần Thị Thử Lan",
    "birthDate": "1990-05-17",
}


@pytest.fixture(scope="module")
def citizens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("register") / "citizens.jsonl"


@pytest.fixture(scope="module")
def running(start: Start, citizens: Path) -> Program:
    return start("population_register", "--citizens", str(citizens), "--token", TOKEN)


@pytest.fixture
def register(running: Program, citizens: Path) -> Program:
    """The running one, without faults, knowing two people."""
    citizens.write_text("".join(json.dumps(person) + "\n" for person in (LAN, OLD_MAN)))
    running.control(delay_seconds=0, outage=False, hang=False)
    return running


def check(register: Program, token: str = TOKEN, **changes: Any) -> httpx.Response:
    asked = {name: value for name, value in (ASKED | changes).items() if value is not None}
    headers = {"Authorization": f"Bearer {token}"}
    return register.http.post("/v1/citizens/check", json=asked, headers=headers, timeout=2)


def result(register: Program, **changes: Any) -> tuple[str, list[str]]:
    response = check(register, **changes).json()["response"]
    return response["result"], response["mismatchedFields"]


def test_the_envelope_is_the_sharing_platforms(register: Program) -> None:
    answer = check(register)
    body = answer.json()
    assert answer.status_code == 200
    assert body.pop("correlationId")
    assert body == {"code": "200", "status": "OK", "response": {"result": "matched", "mismatchedFields": []}}


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"fullName": "  TRẦN thị  THỬ lan"}, ("matched", [])),
        ({"fullName": "Tra\u0302\u0300n Thị Thử Lan"}, ("matched", [])),
        ({"fullName": "Tran Thi Thu Lan"}, ("mismatched", ["fullName"])),
        ({"birthDate": "1990"}, ("matched", [])),
        ({"birthDate": "1990-05"}, ("matched", [])),
        ({"birthDate": "1990-06"}, ("mismatched", ["birthDate"])),
        ({"fullName": "Ai Đó", "birthDate": "1991"}, ("mismatched", ["fullName", "birthDate"])),
        ({"personalNumber": None, "cmnd": "011000001"}, ("matched", [])),
        ({"personalNumber": "001190000009"}, ("not_found", [])),
        ({"personalNumber": None, "passport": "B1234567"}, ("not_found", [])),
        ({"personalNumber": "00119"}, ("invalid", [])),
        ({"personalNumber": None}, ("invalid", [])),
        ({"cmnd": "011000001"}, ("invalid", [])),
        ({"birthDate": "17/05/1990"}, ("invalid", [])),
        ({"fullName": " "}, ("invalid", [])),
        ({"requestId": None}, ("invalid", [])),
    ],
)
def test_what_the_register_answers(
    register: Program, changes: dict[str, Any], outcome: tuple[str, list[str]]
) -> None:
    assert result(register, **changes) == outcome


def test_of_some_people_only_the_year_of_birth_is_known(register: Program) -> None:
    asked = {"personalNumber": OLD_MAN["personalNumber"], "fullName": OLD_MAN["fullName"]}
    assert result(register, **asked, birthDate="1957-03-02") == ("matched", [])
    assert result(register, **asked, birthDate="1958-03-02") == ("mismatched", ["birthDate"])


def test_people_added_to_the_file_are_known_at_once(register: Program, citizens: Path) -> None:
    newcomer = LAN | {"personalNumber": "001190000003"}
    assert result(register, personalNumber="001190000003") == ("not_found", [])
    with citizens.open("a") as file:
        file.write(json.dumps(newcomer) + "\n" + '{"personalNumber": "0011')  # and a row half written
    assert result(register, personalNumber="001190000003") == ("matched", [])


def test_a_file_replaced_by_one_of_the_same_size_is_read_again(register: Program, citizens: Path) -> None:
    assert result(register) == ("matched", [])
    citizens.write_text(citizens.read_text().replace("1990-05-17", "1990-05-18"))
    os.utime(citizens)
    assert result(register) == ("mismatched", ["birthDate"])


def test_a_wrong_token_is_refused(register: Program) -> None:
    answer = check(register, token="guessed")
    assert (answer.status_code, answer.json()["code"]) == (401, "401")
    assert answer.json()["response"] is None


def test_an_outage_lasts_until_it_is_lifted(register: Program) -> None:
    register.control(outage=True)
    assert check(register).status_code == 503
    register.control(outage=False)
    assert check(register).status_code == 200


def test_an_answer_can_be_late(register: Program) -> None:
    register.control(delay_seconds=0.3)
    started = time.monotonic()
    assert check(register).status_code == 200
    assert time.monotonic() - started >= 0.3


def test_a_hanging_check_is_not_answered_and_control_still_is(register: Program) -> None:
    register.control(hang=True)
    with pytest.raises(httpx.ReadTimeout):
        register.http.post("/v1/citizens/check", json=ASKED, timeout=0.3)
    register.control(hang=False)
    assert check(register).status_code == 200


def test_it_stops_politely_even_while_a_check_hangs(start: Start, citizens: Path) -> None:
    register = start("population_register", "--citizens", str(citizens), "--token", TOKEN)
    register.control(hang=True)
    with pytest.raises(httpx.ReadTimeout):
        register.http.post("/v1/citizens/check", json=ASKED, timeout=0.1)
    assert register.stop() == 0


def test_what_is_no_json_object_is_refused(register: Program) -> None:
    for body in (b"", b"{", b"[]"):
        assert register.http.post("/v1/citizens/check", content=body).status_code == 400


def test_what_was_asked_is_kept_over_a_restart(register: Program) -> None:
    before = len(register.get("/requests"))
    check(register)
    check(register, requestId="r-2", fullName="Ai Đó")
    register.restart()
    kept = [(row["asked"]["requestId"], row["result"]) for row in register.get("/requests", since=before)]
    assert kept == [("r-1", "matched"), ("r-2", "mismatched")]


def test_it_starts_before_its_citizens_file_exists(start: Start, tmp_path: Path) -> None:
    register = start("population_register", "--citizens", str(tmp_path / "later.jsonl"), "--token", TOKEN)
    assert result(register) == ("not_found", [])
