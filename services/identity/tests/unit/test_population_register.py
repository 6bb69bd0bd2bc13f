"""The adapter against a real HTTP server that misbehaves as it is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import uuid4

import pytest

from services.identity.circuit import Circuit
from services.identity.domain import Outcome, Question, RegisterAnswer
from services.identity.population_register import CallerCodes, PopulationRegister
from services.identity.tests.register_server import Answer, RegisterServer, reply, with_result
from shared import metrics

TOKEN = "the-token-of-the-register"
QUESTION = Question(uuid4(), "Nguyễn Thị Thử", "1990-05", "cccd", "001190000001")


@pytest.fixture
def server() -> Iterator[RegisterServer]:
    server = RegisterServer()
    yield server
    server.stop()


def register(
    server: RegisterServer, timeout_seconds: float = 2.0, failures_to_open: int = 100
) -> PopulationRegister:
    circuit = Circuit(failures_to_open=failures_to_open, open_seconds=60)
    codes = CallerCodes("VSSID", "UNIT", "OFFICER")
    return PopulationRegister(server.url, TOKEN, codes, circuit, timeout_seconds=timeout_seconds)


def test_the_register_is_asked_as_its_contract_says(server: RegisterServer) -> None:
    assert register(server).ask(QUESTION) == RegisterAnswer(Outcome.MATCHED)
    assert server.asked == [
        {
            "requestId": str(QUESTION.request_id),
            "serviceCode": "VSSID",
            "unitCode": "UNIT",
            "officerCode": "OFFICER",
            "personalNumber": "001190000001",
            "fullName": "Nguyễn Thị Thử",
            "birthDate": "1990-05",
        }
    ]
    assert server.headers[0]["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("kind", "number", "personal_number", "sent"),
    [
        ("cmnd", "123456789", None, {"cmnd": "123456789"}),
        ("passport", "C1234567", None, {"passport": "C1234567"}),
        ("cmnd", "123456789", "001190000001", {"personalNumber": "001190000001"}),
    ],
)
def test_one_number_is_sent_and_the_personal_one_is_preferred(
    server: RegisterServer, kind: str, number: str, personal_number: str | None, sent: dict[str, str]
) -> None:
    register(server).ask(Question(uuid4(), "Trần Mẫu", "1990", kind, number, personal_number))
    numbers = {k: v for k, v in server.asked[0].items() if k in {"personalNumber", "cmnd", "passport"}}
    assert numbers == sent


@pytest.mark.parametrize("result", ["matched", "mismatched", "not_found", "invalid"])
def test_each_result_of_the_register_has_its_outcome(server: RegisterServer, result: str) -> None:
    server.answer = with_result(result, mismatchedFields=["birthDate"])
    assert register(server).ask(QUESTION) == RegisterAnswer(Outcome(result), ("birthDate",))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, Outcome.INVALID),
        (401, Outcome.UNAUTHORISED),
        (403, Outcome.UNAUTHORISED),
        (404, Outcome.UNAVAILABLE),
        (429, Outcome.UNAVAILABLE),
        (500, Outcome.UNAVAILABLE),
        (503, Outcome.UNAVAILABLE),
    ],
)
def test_each_status_has_its_outcome(server: RegisterServer, status: int, outcome: Outcome) -> None:
    server.answer = reply(status, b"{}")
    assert register(server).ask(QUESTION).outcome is outcome


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, b""),
        reply(200, b"not json"),
        reply(200, b"[1]"),
        reply(200, b'{"code": "500", "response": {"result": "matched"}}'),
        reply(200, b'{"code": "200", "response": null}'),
        reply(200, b'{"code": "200", "response": {"result": "perhaps"}}'),
        reply(200, b"[" * 60_000),
        reply(200, b" " * 70_000 + b"{}"),
        with_result(["matched"]),
        lambda handler: handler.connection.close(),
    ],
)
def test_an_answer_that_is_none_is_unavailable_and_never_a_mismatch(
    server: RegisterServer, answer: Answer
) -> None:
    server.answer = answer
    assert register(server).ask(QUESTION) == RegisterAnswer(Outcome.UNAVAILABLE)


def test_a_silent_register_is_not_waited_for(server: RegisterServer) -> None:
    server.answer = lambda handler: time.sleep(2)
    started = time.monotonic()
    assert register(server, timeout_seconds=0.3).ask(QUESTION).outcome is Outcome.UNAVAILABLE
    assert time.monotonic() - started < 1.5


def test_a_register_that_keeps_failing_is_left_alone(server: RegisterServer) -> None:
    server.answer = reply(503, b"{}")
    asking = register(server, failures_to_open=3)
    for _ in range(10):
        assert asking.ask(QUESTION).outcome is Outcome.UNAVAILABLE
    assert len(server.asked) == 3


def test_being_refused_is_no_reason_to_leave_it_alone(server: RegisterServer) -> None:
    server.answer = reply(401, b"{}")
    asking = register(server, failures_to_open=3)
    for _ in range(5):
        assert asking.ask(QUESTION).outcome is Outcome.UNAUTHORISED
    assert len(server.asked) == 5


def test_nobody_listening_is_unavailable(server: RegisterServer) -> None:
    asking = register(server)
    server.stop()
    assert asking.ask(QUESTION).outcome is Outcome.UNAVAILABLE


def test_nothing_of_the_person_or_the_token_is_logged(
    server: RegisterServer, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer = reply(503, b"{}")
    register(server).ask(QUESTION)
    printed = capsys.readouterr()
    said = caplog.text + printed.out + printed.err
    assert str(QUESTION.request_id) in said
    assert not any(secret in said for secret in ("Thử", "001190000001", "1990-05", TOKEN))


def counted(outcome: str) -> float:
    return metrics.REGISTRY.get_sample_value("vssid_register_answers_total", {"outcome": outcome}) or 0.0


def test_answers_are_counted_and_so_is_their_absence(server: RegisterServer) -> None:
    before = counted("matched"), counted("unavailable")
    asked = register(server, timeout_seconds=0.2)
    asked.ask(QUESTION)
    server.stop()
    asked.ask(QUESTION)
    assert (counted("matched"), counted("unavailable")) == (before[0] + 1, before[1] + 1)
