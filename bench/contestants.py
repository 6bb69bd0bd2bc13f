"""Who takes part, how each is started, and what is swept to find its best."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shared.testing.processes import ROOT, free_port

TICKS = os.sysconf("SC_CLK_TCK")
Setting = Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Contestant:
    """``arguments`` follow ``python -m`` and may name values of a setting; ``queue`` is where its events
    wait, ``rpc`` the service its callers name. ``sweep`` are the settings to try."""

    name: str
    arguments: str
    queue: str = ""
    rpc: str = ""
    sweep: tuple[Setting, ...] = ({},)
    """The first is taken where there is no sweep."""

    def command(self, setting: Setting) -> list[str]:
        return self.arguments.format_map(setting).split()


@dataclass
class Process:
    """One contestant, running. Its CPU is what its process used, in user and system mode."""

    contestant: Contestant
    setting: Setting
    addresses: Mapping[str, str]
    log: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        environment = {
            **{k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG"}},
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
            "OPS_PORT": str(free_port()),
            **self.addresses,
            **self.setting,
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own commands
                [sys.executable, "-m", *self.contestant.command(self.setting)],
                env=environment,
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def check_alive(self) -> None:
        """Raise ``AssertionError`` with the end of its log when it has ended."""
        assert self._process is not None
        assert self._process.poll() is None, f"{self.contestant.name} ended:\n{self.tail()}"

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def cpu_seconds(self) -> float:
        """User and system time since it started (/proc/<pid>/stat, fields 14 and 15)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_peak_mib(self) -> float:
        """The most memory it has had resident so far."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise ValueError("VmHWM is missing")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It stands still in the block."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after ten seconds."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _settings(**values: tuple[int | str, ...]) -> Iterator[Setting]:
    """Every combination."""
    for combination in itertools.product(*values.values()):
        yield {name: str(value) for name, value in zip(values, combination, strict=True)}


WORKERS: tuple[Setting, ...] = tuple(
    {"WORKERS": str(workers), "PREFETCH": str(prefetch)}
    for workers, prefetch in ((10, 20), (5, 10), (10, 10), (20, 20), (20, 40), (40, 80))
)
"""Nameko's defaults are 10 and 10."""
LOOPS: tuple[Setting, ...] = tuple(
    {"WORKERS": str(workers), "PREFETCH": str(prefetch), "LOOP": loop}
    for workers, prefetch, loop in (
        (10, 10, "uvloop"), (10, 10, "asyncio"), (5, 10, "uvloop"), (20, 20, "uvloop"), (20, 40, "uvloop"),
        (20, 100, "uvloop"),
    )
)  # fmt: skip

STAGE = (
    Contestant(
        "ours",
        "shared.run bench.ours:Batch{BATCH}",
        queue="ours.handle",
        sweep=tuple(_settings(BATCH=(400, 100, 200))),
    ),
    Contestant(
        "stock_nameko",
        "bench.stock_nameko Stage",
        queue="evt-vssid-bench.asked.v1--stock.handle",
        sweep=WORKERS,
    ),
    Contestant("faststream", "bench.fast_stream Stage", queue="faststream.handle", sweep=LOOPS),
    Contestant("ours_one_by_one", "shared.run bench.ours:Single400", queue="ours.handle"),
)
LOOKUP = (
    Contestant("ours", "shared.run bench.ours:Lookup", rpc="ours"),
    Contestant("stock_nameko", "bench.stock_nameko Lookup", rpc="stock", sweep=WORKERS),
)
