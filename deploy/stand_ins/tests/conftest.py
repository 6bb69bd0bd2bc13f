"""Stand-ins run as programs of their own, as in an installation."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

Start = Callable[..., "Program"]


class Program:
    """One running stand-in: ``port`` is where it listens, ``http`` a client of its HTTP interface."""

    def __init__(self, module: str, data: Path, *options: str) -> None:
        self._start = [sys.executable, "-m", f"deploy.stand_ins.{module}", "--data", str(data), *options]
        self.seen = 0
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._start, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        ready = json.loads(self.process.stdout.readline())
        self.port: int = ready["port"]
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{ready['http_port']}", timeout=5)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(10)

    def restart(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.stop(how)
        self.start()

    def get(self, path: str, **query: object) -> Any:
        return self.http.get(path, params=query).raise_for_status().json()

    def looking_from_now_on(self) -> Program:
        """From here on ``messages`` passes over what was received until now."""
        self.seen = len(self.get("/messages"))
        return self

    def messages(self, **query: object) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/messages", **({"since": self.seen} | query))
        return found

    def control(self, **wishes: object) -> Any:
        """Change the faults; all of them as they are then."""
        return self.http.put("/control", json=wishes).raise_for_status().json()


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a stand-in by its module's name, in a folder of its own; all are stopped at the end."""
    started: list[Program] = []

    def start_one(module: str, *options: str) -> Program:
        started.append(Program(module, tmp_path_factory.mktemp(module), *options))
        return started[-1]

    yield start_one
    for program in started:
        if program.process.poll() is None:
            program.stop(signal.SIGKILL)


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Looks until something true is seen, and gives it back."""

    def look_until_true(look: Callable[[], Any]) -> Any:
        end = time.monotonic() + 10
        while not (seen := look()):
            assert time.monotonic() < end, "not seen within 10 s"
            time.sleep(0.02)
        return seen

    return look_until_true
