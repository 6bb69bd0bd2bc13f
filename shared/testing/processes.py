"""Services as processes of their own, for tests that stop, kill and restart them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import httpx

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]


class ServiceProcess:
    """``python -m shared.run <target>`` with an environment of its own; its log goes to ``log``."""

    def __init__(
        self, target: str, environment: Mapping[str, str], log: Path, *, module: str = "shared.run"
    ) -> None:
        self.target = target
        self.log = log
        self.ops_port = free_port()
        self._module = module
        self._environment = {
            **{k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG", "TMPDIR"}},
            "PYTHONPATH": str(ROOT),
            **environment,
            "OPS_PORT": str(self.ops_port),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; ``wait_ready`` waits."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module, self.target],
                env=self._environment,
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_ready(self, within_seconds: float = 180.0) -> None:
        """Wait for /readyz; raises ``AssertionError`` with the end of the log."""
        until(self.is_ready, within_seconds, lambda: f"{self.target} is not ready:\n{self.tail()}")

    def is_ready(self) -> bool:
        """Whether /readyz answers 200."""
        assert self._process is None or self._process.poll() is None, f"{self.target} ended:\n{self.tail()}"
        try:
            return httpx.get(f"http://127.0.0.1:{self.ops_port}/readyz", timeout=5.0).status_code == 200
        except httpx.HTTPError:
            return False

    def metrics(self) -> str:
        """What /metrics says."""
        return httpx.get(f"http://127.0.0.1:{self.ops_port}/metrics", timeout=5.0).text

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        assert self._process is not None
        return self._process.pid

    @property
    def peak_memory_bytes(self) -> int:
        """The most memory that it has held at a time."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
        return int(peak) * 1024

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        return self._end(signal.SIGTERM)

    def signal(self, signum: int) -> None:
        """Send any other signal, such as SIGSTOP."""
        if self._process is not None:
            self._process.send_signal(signum)

    def tail(self, lines: int = 30) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _end(self, signum: int) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(signum)
        try:
            return process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{self.target} did not stop:\n{self.tail()}") from None


def until(
    met: Callable[[], T],
    within_seconds: float,
    otherwise: Callable[[], str] | str,
    pause_seconds: float = 0.05,
) -> T:
    """Wait until ``met()`` is truthy and return it; ``AssertionError(otherwise)`` when the time is over."""
    ends_at = time.monotonic() + within_seconds
    while True:
        value = met()
        if value:
            return value
        if time.monotonic() > ends_at:
            raise AssertionError(otherwise if isinstance(otherwise, str) else otherwise())
        time.sleep(pause_seconds)


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
