"""The national population database, over HTTP. It may be slow or away for hours; we never wait long.

The envelope is the sharing platform's: ``{code, status, correlationId, response: {result,
mismatchedFields}}``. Nothing that is asked or answered is logged.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import eventlet
import httpx
from prometheus_client import Counter, Histogram

from services.identity.circuit import Circuit, CircuitOpen
from services.identity.domain import Outcome, Question, RegisterAnswer
from shared import logs, metrics, tracing

log = logs.get(__name__)

LARGEST_ANSWER_BYTES = 64 * 1024
RESULTS = {
    "matched": Outcome.MATCHED,
    "mismatched": Outcome.MISMATCHED,
    "not_found": Outcome.NOT_FOUND,
    "invalid": Outcome.INVALID,
}
REFUSALS = {
    400: Outcome.INVALID,
    422: Outcome.INVALID,
    401: Outcome.UNAUTHORISED,
    403: Outcome.UNAUTHORISED,
}
register_answers_total = Counter(
    "vssid_register_answers_total",
    "Questions to the population register by its answer: matched, mismatched, …, unavailable",
    ["outcome"],
    registry=metrics.REGISTRY,
)
register_seconds = Histogram(
    "vssid_register_seconds",
    "Time until the population register had answered, or was not waited for any longer",
    buckets=metrics.SECONDS,
    registry=metrics.REGISTRY,
)
NUMBER_FIELDS = {"cccd": "personalNumber", "cmnd": "cmnd", "passport": "passport"}


@dataclass(frozen=True)
class CallerCodes:
    """Who we are to the register: codes that it hands out."""

    service: str
    unit: str
    officer: str


class RegisterAway(Exception):
    """No usable answer in time. ``reason`` may be logged."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PopulationRegister:
    """Asks one question at a time per caller; any number of callers at once share the connections."""

    def __init__(
        self, url: str, token: str, codes: CallerCodes, circuit: Circuit, *, timeout_seconds: float = 2.0
    ) -> None:
        self._codes = codes
        self._circuit = circuit
        self._timeout_seconds = timeout_seconds
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout_seconds,
            limits=httpx.Limits(max_connections=20, max_keepalive_connections=5),
            trust_env=False,
        )

    def ask(self, question: Question) -> RegisterAnswer:
        """The register's answer, ``unavailable`` when there is none within the time-out. Never raises."""
        started = time.perf_counter()
        with tracing.step("ask register", tracing.CLIENT, request_id=str(question.request_id)):
            answer = self._asked(question)
            tracing.describe(outcome=answer.outcome.value)
        register_seconds.observe(time.perf_counter() - started)
        register_answers_total.labels(answer.outcome.value).inc()
        return answer

    def _asked(self, question: Question) -> RegisterAnswer:
        try:
            with self._circuit.call():
                return self._answer(question)
        except CircuitOpen:
            reason = "circuit open"
        except RegisterAway as away:
            reason = away.reason
        log.warning("register_unavailable", request_id=str(question.request_id), reason=reason)
        return RegisterAnswer(Outcome.UNAVAILABLE)

    def _answer(self, question: Question) -> RegisterAnswer:
        # httpx bounds each read, the green timer bounds the whole: an answer that drips is no answer.
        failure = ""
        try:
            with (
                eventlet.Timeout(self._timeout_seconds),
                self._http.stream("POST", "/v1/citizens/check", json=self._body(question)) as response,
            ):
                status, content = response.status_code, _read(response)
        except (httpx.HTTPError, eventlet.Timeout) as error:
            failure = type(error).__name__
        if failure:  # raised outside, so that no trace carries the request
            raise RegisterAway(failure)
        if status in REFUSALS:
            return RegisterAnswer(REFUSALS[status])
        if status != 200:
            raise RegisterAway(f"status {status}")
        return understood(content)

    def _body(self, question: Question) -> dict[str, str]:
        number = {NUMBER_FIELDS[question.document_kind]: question.document_number}
        if question.personal_number:
            number = {"personalNumber": question.personal_number}
        return {
            "requestId": str(question.request_id),
            "serviceCode": self._codes.service,
            "unitCode": self._codes.unit,
            "officerCode": self._codes.officer,
            **number,
            "fullName": question.full_name,
            "birthDate": question.birth_value,
        }


def _read(response: httpx.Response) -> bytes:
    content = b""
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > LARGEST_ANSWER_BYTES:
            raise RegisterAway("answer too large")
    return content


def understood(content: bytes) -> RegisterAnswer:
    """The answer inside an envelope. Raises ``RegisterAway`` when it is none that we know."""
    envelope = _parsed(content)
    if not isinstance(envelope, Mapping) or envelope.get("code") != "200":
        raise RegisterAway("envelope without success")
    response = envelope.get("response")
    outcome = RESULTS.get(str(response.get("result"))) if isinstance(response, Mapping) else None
    if outcome is None or not isinstance(response, Mapping):
        raise RegisterAway("unknown result")
    fields = response.get("mismatchedFields") or ()
    return RegisterAnswer(outcome, tuple(str(f) for f in fields) if isinstance(fields, list) else ())


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
