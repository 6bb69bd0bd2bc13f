"""The client's patience: what it repeats, and that a repeated write is the same write."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from shared.testing import client as module
from shared.testing.citizen_client import CitizenClient, Draft
from shared.testing.client import NotInTime, ProblemSeen, Session

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0)


class Gateway:
    """Answers in turn, and keeps what it was asked. An exception in the list is raised."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer, json={"type": "https://vssid.example/problems/phone-taken"})


def session(gateway: Gateway) -> Session:
    return Session("http://gateway", transport=httpx.MockTransport(gateway))


def test_a_write_is_repeated_with_the_same_key_until_the_gateway_is_back():
    gateway = Gateway(httpx.ConnectError("away"), 503, httpx.ReadError("cut"), httpx.ReadTimeout("late"), 202)

    session(gateway).ask("POST", "/x", json={})

    assert len({request.headers["Idempotency-Key"] for request in gateway.asked}) == 1
    assert len(gateway.asked) == 5


def test_two_writes_have_two_keys():
    gateway = Gateway(202, 202)
    client = session(gateway)
    client.ask("POST", "/x")
    client.ask("POST", "/x")

    assert len({request.headers["Idempotency-Key"] for request in gateway.asked}) == 2


def test_a_refusal_is_not_repeated_and_names_itself():
    gateway = Gateway(409)

    with pytest.raises(ProblemSeen) as refused:
        session(gateway).ask("POST", "/x")

    assert (refused.value.status, refused.value.name, len(gateway.asked)) == (409, "phone-taken", 1)


def test_patience_ends():
    gateway = Gateway(*[503] * 1000)
    client = session(gateway)
    client.patience_seconds = 0

    with pytest.raises(ProblemSeen) as refused:
        client.ask("GET", "/x")

    assert refused.value.status == 503


def test_the_token_is_not_in_what_is_printed_of_a_client():
    client = session(Gateway())
    client.headers["Authorization"] = "Bearer secret"

    assert "secret" not in repr(client)


class OtpGateway:
    """Takes the last of the codes that it sent; every code asked for has its own."""

    def __init__(self) -> None:
        self.codes = 0
        self.tried: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/confirmation"):
            self.tried.append(json.loads(request.content)["otp"])
            if self.tried[-1] != str(self.codes):
                return httpx.Response(422, json={"type": "https://vssid.example/problems/otp-wrong"})
        elif request.method == "POST":
            self.codes += 1
        return httpx.Response(200, json={"email_verified": False})


def otp_client(gateway: OtpGateway) -> CitizenClient:
    client = CitizenClient("http://gateway", transport=httpx.MockTransport(gateway))
    client.draft = Draft("r", "token")
    return client


def test_a_code_that_never_comes_is_asked_for_again():
    gateway = OtpGateway()

    def read_otp(_address: str) -> str:
        if gateway.codes < 3:
            raise NotInTime
        return "3"

    otp_client(gateway).prove_email("an@example.org", read_otp)

    assert (gateway.codes, gateway.tried) == (3, ["3"])


def test_a_code_that_was_refused_is_not_tried_again_until_the_newest_arrives():
    gateway = OtpGateway()
    gateway.codes = 1  # of a request whose answer was lost
    arriving = iter(["1", "1", "1", "2"])

    otp_client(gateway).prove_email("an@example.org", lambda _address: next(arriving))

    assert gateway.tried == ["1", "2"]


def test_codes_are_not_asked_for_for_ever():
    def read_otp(_address: str) -> str:
        raise NotInTime

    gateway = OtpGateway()
    with pytest.raises(NotInTime):
        otp_client(gateway).prove_email("an@example.org", read_otp)
    assert gateway.codes == 3
