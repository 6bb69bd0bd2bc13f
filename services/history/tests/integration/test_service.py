"""The service as a process: the import from a file, and look-ups by RPC with real sealed tokens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey
from kombu import Connection, Exchange, Queue

from deploy.native.instance import Instance
from services.history.service import HistoryService
from services.history.tests.unit.examples import lines, many, row
from shared.database import written
from shared.events import account
from shared.messaging import topology
from shared.messaging.calls import CallRefused, RpcClient
from shared.messaging.connection import Link
from shared.messaging.publisher import Publisher
from shared.messaging.relay import outgoing
from shared.sealed import Sealer, generate_keypair
from shared.testing.citizens import generate
from shared.testing.processes import ROOT, ServiceProcess, until
from tests.fixtures import migrate

KEYS = generate_keypair()
SEALER = Sealer({"history": KEYS.public})
SIGNING = OKPKey.generate_key("Ed25519", parameters={"kid": "k1"})
NAME = "test_history_service"


class Stage:
    """The process with its database and vhost, a client, and the import program."""

    def __init__(self, servers: Instance, log: Path) -> None:
        self._servers = servers
        self.dsn = servers.database(NAME)
        migrate("history", self.dsn)
        self.vhost = servers.vhost(NAME)
        topology.apply(self.vhost.amqp_url, self.vhost.management_url, [HistoryService])
        self._heard: list[str] = []
        self._broker = Connection(self.vhost.amqp_url)
        exchange = Exchange(topology.EVENTS, "topic", passive=True)
        self._told = Queue("heard", exchange, "history.imported.v1", exclusive=True)(self._broker.channel())
        self._told.declare()
        environment = {
            "AMQP_URL": self.vhost.amqp_url,
            "DATABASE_URL": self.dsn,
            "SEAL_PRIVATE": KEYS.private,
            "TOKEN_PUBLIC_KEYS": json.dumps({"keys": [SIGNING.as_dict(private=False)]}),
        }
        self.process = ServiceProcess("history", environment, log)
        self.process.start()
        self.process.wait_ready()
        self.client = RpcClient(self.vhost.amqp_url, "test-history")
        self.client.start()

    def imports_told(self) -> list[str]:
        """The ids of the imports that were published so far."""
        while (message := self._told.get(no_ack=True)) is not None:
            self._heard.append(str(json.loads(message.body)["import_id"]))
        return self._heard

    def down(self) -> None:
        self._broker.release()
        self.client.stop()
        self.process.kill()
        self._servers.drop_vhost(NAME)
        self._servers.drop_database(NAME)

    def look_up(self, code: str, cursor: str | None = None, **changes: Any) -> dict[str, Any]:
        sealed = SEALER.seal("history", token(code, **changes))
        answer: dict[str, Any] = self.client.call(
            "history", "participation", {"sealed_token": sealed, "cursor": cursor}, 5.0
        )
        return answer

    def take(self, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "services.history.import_file", "participation", str(file), *options],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DATABASE_URL": self.dsn},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )


def token(code: str, **changes: Any) -> str:
    now = int(datetime.now(UTC).timestamp())
    claims = {
        "iss": "vssid",
        "sub": str(uuid4()),
        "code": code,
        "scope": "citizen",
        "iat": now,
        "exp": now + 900,
    } | changes
    return jwt.encode({"alg": "Ed25519", "kid": "k1"}, claims, SIGNING, algorithms=["Ed25519"])


@pytest.fixture(scope="module")
def stage(servers: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(servers, tmp_path_factory.mktemp("history") / "log")
    yield stage
    stage.down()


@pytest.mark.proves("G16")
def test_imported_rows_are_what_each_citizen_looks_up(stage: Stage, tmp_path: Path) -> None:
    citizens = generate(30, seed=77)
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"".join(lines([one for person in citizens for one in person.participation_rows()])))
    done = stage.take(file, "--as-of", "2025-12-31", "--source", "BHXH thử")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["people"] == 30

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda person: stage.look_up(person.code), citizens))
    for person, answer in zip(citizens, answers, strict=True):
        own = [{k: v for k, v in one.items() if k != "code"} for one in person.participation_rows()]
        seen = [{k: v for k, v in one.items() if k != "paid"} for one in answer["items"]]
        assert sorted(seen, key=str) == sorted(own, key=str)
        assert answer["source"] == "BHXH thử"
        assert answer["as_of"].startswith("2025-12-31")
    again = stage.take(file)
    assert json.loads(again.stdout)["again"] is True


def test_the_import_is_told_to_the_others(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "one.jsonl"
    file.write_bytes(b"".join(lines([row(code="5550001111")])))
    done = stage.take(file)
    assert done.returncode == 0
    import_id = json.loads(done.stdout)["import_id"]
    until(lambda: import_id in stage.imports_told(), 40.0, "the event did not leave")


def test_a_wrong_file_is_refused_by_line_and_field_and_leaves_nothing(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "wrong.jsonl"
    file.write_bytes(b"".join(lines([row(code="5550002222"), row(code="5550002222", salary_base=-1)])))
    done = stage.take(file)
    assert done.returncode == 1
    assert "line 2: salary_base" in done.stderr
    assert "Traceback" not in done.stderr
    assert stage.look_up("5550002222")["items"] == []


def test_pages_follow_by_cursor(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    file.write_bytes(b"".join(lines(many(41, code="5550003333"))))
    assert stage.take(file).returncode == 0
    months, cursor = [], None
    for _ in range(3):
        page = stage.look_up("5550003333", cursor)
        months += [item["from_month"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert months == sorted((one["from_month"] for one in many(41)), reverse=True)


def test_of_calls_in_flight_together_each_is_answered_or_refused_for_itself(stage: Stage) -> None:
    def ask(number: int) -> str:
        try:
            scope = "password_change" if number % 3 == 1 else "citizen"
            expired = {"exp": 1} if number % 3 == 2 else {}
            stage.look_up("5550004444", scope=scope, **expired)
        except CallRefused as refused:
            return refused.name
        return "answered"

    with ThreadPoolExecutor(30) as threads:
        outcomes = list(threads.map(ask, range(90)))
    assert outcomes == ["answered", "PasswordChangeRequired", "TokenInvalid"] * 30


def test_a_token_that_is_not_sealed_to_history_is_refused(stage: Stage) -> None:
    stranger = Sealer({"history": generate_keypair().public}).seal("history", token("5550005555"))
    for sealed in (stranger, token("5550005555"), "", None, 5):
        with pytest.raises(CallRefused) as refused:
            stage.client.call("history", "participation", {"sealed_token": sealed}, 5.0)
        assert refused.value.name == "TokenInvalid"


def test_a_token_is_refused_once_its_sessions_were_ended(stage: Stage) -> None:
    account_id = str(uuid4())
    issued_at = int(datetime.now(UTC).timestamp()) - 60
    stage.look_up("5550006666", sub=account_id, iat=issued_at)
    link = Link(stage.vhost.amqp_url, "test-publisher")
    publisher = Publisher(link)
    link.start()
    try:
        assert link.wait_up(5.0)
        now = datetime.now(UTC)
        ended = account.SESSIONS_ENDED.event(
            subject=account_id,
            correlation_id=account_id,
            at=now,
            data={"account_id": account_id, "issued_before": now - timedelta(seconds=1)},
        )
        publisher.publish([outgoing(written(ended))], 5.0)
    finally:
        link.stop()

    def refused() -> bool:
        try:
            stage.look_up("5550006666", sub=account_id, iat=issued_at)
        except CallRefused as answer:
            return answer.name == "TokenInvalid"
        return False

    until(refused, 10.0, "the old token is still accepted")
    assert stage.look_up("5550006666", sub=account_id)["items"] == []  # a new one is
