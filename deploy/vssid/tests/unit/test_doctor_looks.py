"""The doctor on processes and outside parties: well, wrong, or said that nobody looked."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy.vssid import (
    checks_of_databases,
    checks_of_keys,
    checks_of_outside,
    checks_of_processes,
    where,
)
from deploy.vssid.findings import Finding
from deploy.vssid.where import OutsideSettings


@contextlib.contextmanager
def page(pages: dict[str, tuple[int, str]]) -> Iterator[str]:
    """A server that answers so at each path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = pages.get(self.path, (404, ""))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_arguments: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken, and takes no connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def ready(*missing: str) -> tuple[int, str]:
    body = {"status": "…", "not_ready": dict.fromkeys(missing, "OperationalError")}
    return (503 if missing else 200), json.dumps(body)


@pytest.fixture(autouse=True)
def nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(where, "environment", dict)


def states(findings: Iterator[Finding]) -> dict[str, str]:
    return {finding.what: finding.state for finding in findings}


def test_what_nobody_told_is_not_looked_at_and_says_what_would_be_needed() -> None:
    found = [
        *checks_of_processes.process_checks(),
        *checks_of_outside.outside_checks(),
        *checks_of_keys.key_checks(),
        *checks_of_databases.cache(),
    ]
    assert [finding.what for finding in found] == [
        *(f"process {name}" for name in where.PROCESSES),
        "session with the SMS centre",
        "SMS centre",
        "population register",
        "mail server",
        "object store",
        "token keys",
        "Redis",
    ]
    assert {finding.state for finding in found} == {"skipped"}
    assert all(finding.found.startswith("not looked at, because ") and finding.to_do for finding in found)


def test_a_budget_that_cannot_be_counted_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> list[object]:
        raise ConnectionRefusedError

    monkeypatch.setattr(checks_of_databases, "broker", lambda: SimpleNamespace(depths=away))
    assert states(checks_of_databases.budget({"db:5432": ["history"]}, {})) == {
        "connection budget": "skipped"
    }
    monkeypatch.setattr(checks_of_databases, "broker", lambda: SimpleNamespace(depths=list))
    assert states(checks_of_databases.budget({"db:5432": ["history"]}, {})) == {
        "connection budget": "skipped"
    }


@pytest.mark.parametrize(
    ("answer", "state", "says"),
    [
        (ready(), "well", "ready"),
        (ready("database"), "wrong", "not ready: database: OperationalError"),
        ((200, "no JSON"), "wrong", "does not say"),
        ((200, "[]"), "wrong", "does not say"),
    ],
)
def test_a_process_is_as_ready_as_it_says(answer: tuple[int, str], state: str, says: str) -> None:
    with page({"/readyz": answer}) as url:
        (found,) = checks_of_processes.replicas("process identity", url)
    assert (found.state, says in found.found) == (state, True)


def test_a_process_that_does_not_answer_is_wrong(closed_port: int) -> None:
    (found,) = checks_of_processes.replicas("process identity", f"http://127.0.0.1:{closed_port}")
    assert found.state == "wrong"
    (found,) = checks_of_processes.replicas("process identity", "http://no-such-host.invalid:9100")
    assert (found.state, "no-such-host.invalid" in found.found) == ("wrong", True)


def test_every_replica_behind_a_name_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(socket.AF_INET, 1, 6, "", (ip, 9100)) for ip in ("10.0.0.2", "10.0.0.1", "10.0.0.2")]
    monkeypatch.setattr(checks_of_processes.socket, "getaddrinfo", lambda *_a, **_k: rows)
    assert checks_of_processes.addresses_of("http://identity:9100") == [
        "http://10.0.0.1:9100",
        "http://10.0.0.2:9100",
    ]


@pytest.mark.parametrize(("value", "state"), [("1.0", "well"), ("0.0", "wrong")])
def test_the_session_is_what_notification_says(value: str, state: str) -> None:
    text = f"# TYPE vssid_smsc_bound gauge\nvssid_smsc_bound {value}\n"
    with page({"/metrics": (200, text)}) as url:
        (found,) = checks_of_processes.session(url)
    assert found.state == state


@pytest.mark.parametrize("text", [(200, ""), (500, "")])
def test_a_session_that_is_not_told_is_not_taken_for_bound(text: tuple[int, str]) -> None:
    with page({"/metrics": text}) as url:
        (found,) = checks_of_processes.session(url)
    assert found.state == "skipped"


def test_outside_parties_that_take_no_connection_are_wrong(closed_port: int) -> None:
    known = OutsideSettings(
        smpp_host="127.0.0.1",
        smpp_port=closed_port,
        smtp_host="127.0.0.1",
        smtp_port=closed_port,
        population_register_url=f"http://127.0.0.1:{closed_port}",
    )
    for look in (
        checks_of_outside.sms_centre,
        checks_of_outside.register,
        checks_of_outside.mail_server,
    ):
        found = look(known)
        assert (found.state, bool(found.to_do)) == ("wrong", True)


@pytest.mark.parametrize(("status", "state"), [(200, "well"), (401, "well"), (404, "well"), (503, "wrong")])
def test_a_register_that_answers_anything_but_an_error_of_its_own_is_well(status: int, state: str) -> None:
    with page({"/": (status, "")}) as url:
        assert checks_of_outside.register(OutsideSettings(population_register_url=url)).state == state


@pytest.mark.parametrize(("free", "state"), [(50, "well"), (9, "note"), (1, "wrong")])
def test_the_room_of_the_object_store_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, state: str
) -> None:
    disk = SimpleNamespace(total=100, used=100 - free, free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: disk)
    assert checks_of_outside.object_folder(str(tmp_path)).state == state
    assert checks_of_outside.object_folder(str(tmp_path / "absent")).state == "wrong"
