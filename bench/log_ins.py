"""(f) Log-ins by HTTP, as apps make them, against what argon2id alone allows on the same cores."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import secrets
import statistics
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg

from bench.arena import Broken
from bench.registrations import cpu_ms
from deploy.demo.world import add_officer, write_register
from deploy.native.instance import Instance
from services.identity.devices import MOST_DEVICES
from services.identity.passwords import HASHER
from shared.testing.citizen_client import AGENCY_CODE, CitizenClient
from shared.testing.citizens import generate
from shared.testing.inbox import Inbox

AGE_SECONDS = 2.0
"""How often the sessions that have begun are taken for hours old. Nobody is back on a device sooner."""
AGE = """
UPDATE sessions SET started_at = started_at - interval '3 hours',
                    refreshed_at = refreshed_at - interval '3 hours'
WHERE ended_at IS NULL AND started_at > now() - interval '1 hour'
"""
LAG_SECONDS = 15.0
"""What the gauge of the hub's lag looks back: no phase is shorter."""
HUB_LAG = re.compile(r"^vssid_hub_lag_seconds (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class LogInRun:
    """One run: hashes a second of argon2id alone and log-ins a second, each for all cores; median time of a
    log-in; CPU of a log-in without its hash; how late identity's hub was at the worst in both phases."""

    hashes_per_second: float
    per_second: float
    median_ms: float
    other_cpu_ms: float
    lag_beside_hashes_ms: float
    lag_ms: float

    @property
    def shown(self) -> str:
        """On one line."""
        return (
            f"{self.per_second:.1f} log-ins/s, {self.hashes_per_second:.1f} hashes/s alone"
            f" ({self.per_second / self.hashes_per_second:.2f}), median {self.median_ms:.0f} ms,"
            f" {self.other_cpu_ms:.1f} ms of CPU beside the hash; hub's lag {self.lag_ms:.0f} ms,"
            f" {self.lag_beside_hashes_ms:.0f} ms while only argon2id ran"
        )


@dataclass(frozen=True)
class Person:
    """Somebody with an account, a password of their own and the devices that they are used to."""

    code: str
    password: str
    device_tokens: tuple[str, ...]


class LogIns:
    """The whole product with some accounts."""

    def __init__(self, servers: Instance, cores: int) -> None:
        self._servers = servers
        self._cores = cores
        self._gateway = str(servers.endpoints()["gateway"])
        address = urlsplit(self._gateway)
        self._host, self._port = address.hostname or "", address.port or 80
        self._people: list[Person] = []

    def make(self, people: int) -> None:
        """Register, verify, log in once and choose a password, each; then log in on as many devices as an
        account may have."""
        endpoints = self._servers.endpoints()
        inbox = Inbox(str(endpoints["sms"]), str(endpoints["mail"]))
        citizens = generate(people, seed=time.time_ns())
        write_register(Path(str(endpoints["register_citizens_file"])), [c.register_row() for c in citizens])
        officer = add_officer(self._servers, self._gateway, f"bench-{time.time_ns()}", AGENCY_CODE)
        for citizen in citizens:
            client = CitizenClient(self._gateway)
            accepted = client.register(citizen, inbox.wait_for_otp, AGENCY_CODE)
            client.wait_for("awaiting_visit")
            officer.confirm(officer.find(accepted.declaration_number)["id"])
            first, own = inbox.wait_for_password(citizen.phone), secrets.token_urlsafe(12)
            client.log_in(citizen.code, first)
            client.change_password(citizen.code, first, own)
            client.close()
            with connected(self._host, self._port) as gateway:
                tokens = [log_in(gateway, citizen.code, own, None) for _ in range(MOST_DEVICES)]
            self._people.append(Person(citizen.code, own, tuple(filter(None, tokens))))

    def measure(self, seconds: float) -> LogInRun:
        """``seconds`` of argon2id alone, then as long of log-ins: everybody at once, again and again, each
        time on a device that was not used for hours, as when many come back."""
        hashes, hash_ms = self._hashes(seconds)
        lag_beside_hashes = self._lag()
        before = self._product_cpu_ms()
        took = self._log_ins(seconds)
        return LogInRun(
            hashes_per_second=hashes,
            per_second=len(took) / seconds,
            median_ms=statistics.median(took) * 1e3,
            other_cpu_ms=(self._product_cpu_ms() - before) / len(took) - hash_ms,
            lag_beside_hashes_ms=lag_beside_hashes,
            lag_ms=self._lag(),
        )

    def _hashes(self, seconds: float) -> tuple[float, float]:
        """Hashes a second, in as many threads as cores (the library computes without Python's lock), and
        milliseconds of CPU for each."""
        before = time.process_time()
        until = time.monotonic() + seconds

        def compute(_: int) -> int:
            done = 0
            while time.monotonic() < until:
                HASHER.hash("mật khẩu của không ai")
                done += 1
            return done

        with ThreadPoolExecutor(self._cores) as threads:
            done = sum(threads.map(compute, range(self._cores)))
        return done / seconds, (time.process_time() - before) / done * 1e3

    def _log_ins(self, seconds: float) -> list[float]:
        """How long each took. Raises ``Broken`` when one was refused."""
        until = time.monotonic() + seconds

        def log_in_again_and_again(person: Person) -> list[float]:
            took = []
            with connected(self._host, self._port) as gateway:
                for token in itertools.cycle(person.device_tokens):
                    if (started := time.monotonic()) >= until:
                        break
                    log_in(gateway, person.code, person.password, token)
                    took.append(time.monotonic() - started)
            return took

        with self._ageing(), ThreadPoolExecutor(len(self._people)) as threads:
            return [one for took in threads.map(log_in_again_and_again, self._people) for one in took]

    @contextmanager
    def _ageing(self) -> Iterator[None]:
        """Sessions count as hours old ``AGE_SECONDS`` after they began."""
        stopping = threading.Event()
        database = psycopg.connect(self._servers.environment("identity")["DATABASE_URL"], autocommit=True)

        def age() -> None:
            while not stopping.wait(AGE_SECONDS):
                database.execute(AGE)

        ageing = threading.Thread(target=age)
        with database:
            database.execute(AGE)
            ageing.start()
            try:
                yield
            finally:
                stopping.set()
                ageing.join()

    def _lag(self) -> float:
        port = self._servers.environment("identity")["OPS_PORT"]
        found = HUB_LAG.search(httpx.get(f"http://127.0.0.1:{port}/metrics").text)
        assert found is not None
        return float(found[1]) * 1e3

    def _product_cpu_ms(self) -> float:
        pids = self._servers.pids()
        return sum(cpu_ms(pids[name]) for name in ("gateway", "identity"))


@contextmanager
def connected(host: str, port: int) -> Iterator[http.client.HTTPConnection]:
    """One connection that is kept, of the standard library: its client takes the least of the cores."""
    connection = http.client.HTTPConnection(host, port, timeout=60)
    try:
        yield connection
    finally:
        connection.close()


def log_in(
    gateway: http.client.HTTPConnection, code: str, password: str, device_token: str | None
) -> str | None:
    """One; returns the token of the device if it is a new one. Raises ``Broken``."""
    known = {"device_token": device_token} if device_token else {}
    body = {"user": code, "password": password, **known}
    headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
    gateway.request("POST", "/v1/sessions", json.dumps(body), headers)
    answer = gateway.getresponse()
    told = json.loads(answer.read())
    if answer.status >= 400 or not told.get("access_token"):
        raise Broken(f"a right password was answered {answer.status} {told.get('type', '')}")
    token: str | None = told.get("device_token")
    return token


def of_runs(runs: Sequence[LogInRun]) -> dict[str, Any]:
    """Medians, and what they were taken from."""

    def median(name: str) -> float:
        return round(statistics.median(getattr(run, name) for run in runs), 2)

    return {name: median(name) for name in LogInRun.__dataclass_fields__} | {
        "runs": [[round(run.per_second, 2), round(run.hashes_per_second, 2)] for run in runs],
    }
