"""Stand-in of the national population database: checks whether name and birth date belong to a number.

Run: ``python -m deploy.stand_ins.population_register --port 9301 --data DIR --citizens FILE``.

``POST /v1/citizens/check`` with a bearer token. ``GET, PUT /control`` sets delay, outage and hang.
``GET /requests?since=n`` shows what was asked. Citizens are JSON lines
``{personalNumber, cmnd?, passport?, fullName, birthDate, code}``; the file is read again when it changes.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
import time
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import click

from deploy.stand_ins.control import Control
from deploy.stand_ins.http_api import HttpApi, Reply, Request, Route, WrongRequest
from deploy.stand_ins.ledger import Ledger
from deploy.stand_ins.program import until_stopped

log = logging.getLogger(__name__)

NUMBERS = {
    "personalNumber": re.compile(r"\d{12}"),
    "cmnd": re.compile(r"\d{9}"),
    "passport": re.compile(r"[A-Z0-9]{1,9}"),
}
BIRTH_DATE = re.compile(r"\d{4}(-\d{2}){0,2}")


@dataclass(frozen=True)
class Faults:
    """``outage``: every check answers 503. ``hang``: a check is not answered until hang is lifted."""

    delay_seconds: float = 0.0
    outage: bool = False
    hang: bool = False


class Citizens:
    """The people of the register, found by any of their numbers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._by_number: dict[tuple[str, str], dict[str, Any]] = {}

    def find(self, kind: str, number: str) -> dict[str, Any] | None:
        self._read_if_changed()
        return self._by_number.get((kind, number))

    def _read_if_changed(self) -> None:
        if not self._path.exists():
            return
        state = self._path.stat()
        if (state.st_mtime_ns, state.st_size) == self._seen:
            return
        self._by_number = self._read()
        self._seen = (state.st_mtime_ns, state.st_size)

    def _read(self) -> dict[tuple[str, str], dict[str, Any]]:
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for line_number, line in enumerate(self._path.read_text("utf-8").rstrip("\n").split("\n"), start=1):
            try:
                row = json.loads(line)
                found |= {(kind, row[kind]): row for kind in NUMBERS if row.get(kind)}
            except (ValueError, TypeError, AttributeError):
                log.warning("citizens file: line %d is not a citizen", line_number)  # perhaps half written
        return found


class Register:
    """The answers of the register, and the record of what it was asked."""

    def __init__(self, citizens: Citizens, requests: Ledger, token: str, faults: Control[Faults]) -> None:
        self._citizens = citizens
        self._requests = requests
        self._token = token
        self._faults = faults

    def routes(self) -> dict[tuple[str, str], Route]:
        return {
            ("POST", "/v1/citizens/check"): self.check,
            ("GET", "/requests"): self.requests,
            **self._faults.routes(),
        }

    def requests(self, request: Request) -> Reply:
        return Reply(200, self._requests.rows[max(request.number("since", 0), 0) :])

    def check(self, request: Request) -> Reply:
        """One check. What was asked is kept whatever the answer is."""
        asked = request.json()
        if not isinstance(asked, dict):
            raise WrongRequest("a JSON object is wanted")
        reply = self._answer(request, asked)
        kept = {"at": datetime.now(UTC).isoformat(), "status": reply.status, "asked": asked}
        self._requests.append(kept | {"result": (reply.content["response"] or {}).get("result")})
        return reply

    def _answer(self, request: Request, asked: dict[str, Any]) -> Reply:
        time.sleep(self._faults.now.delay_seconds)
        while self._faults.now.hang:
            time.sleep(0.02)
        if self._faults.now.outage:
            return _envelope(503, "UNAVAILABLE", None)
        if not hmac.compare_digest(
            request.headers.get("authorization", "").encode(), f"Bearer {self._token}".encode()
        ):
            return _envelope(401, "UNAUTHORISED", None)
        return _envelope(200, "OK", self._compare(asked))

    def _compare(self, asked: dict[str, Any]) -> dict[str, Any]:
        numbers = [(kind, asked[kind]) for kind in NUMBERS if asked.get(kind)]
        if len(numbers) != 1 or not _well_formed(asked, *numbers[0]):
            return _result("invalid")
        citizen = self._citizens.find(*numbers[0])
        if citizen is None:
            return _result("not_found")
        mismatched = []
        if _plain_name(asked["fullName"]) != _plain_name(citizen["fullName"]):
            mismatched.append("fullName")
        if not _same_as_far_as_known(asked["birthDate"], citizen["birthDate"]):
            mismatched.append("birthDate")
        return _result("mismatched", mismatched) if mismatched else _result("matched")


def _envelope(status: int, word: str, response: dict[str, Any] | None) -> Reply:
    body = {"code": str(status), "status": word, "correlationId": str(uuid4()), "response": response}
    return Reply(status, body)


def _result(result: str, mismatched: list[str] | None = None) -> dict[str, Any]:
    return {"result": result, "mismatchedFields": mismatched or []}


def _well_formed(asked: dict[str, Any], kind: str, number: object) -> bool:
    name, birth_date, request_id = asked.get("fullName"), asked.get("birthDate"), asked.get("requestId")
    return (
        isinstance(number, str)
        and NUMBERS[kind].fullmatch(number) is not None
        and isinstance(birth_date, str)
        and BIRTH_DATE.fullmatch(birth_date) is not None
        and all(isinstance(text, str) and text.strip() for text in (name, request_id))
    )


def _plain_name(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def _same_as_far_as_known(asked: str, known: str) -> bool:
    """Dates of different precision agree when one begins the other: ``1957`` and ``1957-03``."""
    return asked.startswith(known) or known.startswith(asked)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=0, show_default="a free one", help="Port of the HTTP interface.")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder for requests.jsonl.")
@click.option(
    "--citizens", type=click.Path(path_type=Path), required=True, help="JSON lines; may appear later."
)
@click.option(
    "--token", envvar="POPULATION_REGISTER_TOKEN", required=True, help="The bearer token callers hold."
)
@click.option("--delay-seconds", default=0.0, help="Delay of each answer, to start with.")
def main(host: str, port: int, data: Path, citizens: Path, token: str, delay_seconds: float) -> None:
    """Run the stand-in population register until SIGTERM."""
    logging.basicConfig(level=logging.INFO)
    requests = Ledger(data / "requests.jsonl")
    register = Register(Citizens(citizens), requests, token, Control(Faults(delay_seconds=delay_seconds)))
    api = HttpApi(host, port, register.routes())
    api.start()
    asyncio.run(until_stopped("population_register", port=api.port, http_port=api.port))
    api.stop()


if __name__ == "__main__":
    main()
