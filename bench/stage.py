"""(a) One event stage and (d) the backlog: cost of each event, from a full queue."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from bench.arena import Arena, Broken, Counting, arena, books, fill
from bench.contestants import Contestant, Process, Setting
from deploy.native.instance import Instance
from shared.testing.processes import until

POLL_SECONDS = 0.01
STUCK_SECONDS = 30.0
TAIL = 1_000
"""Events that still wait when counting ends: at both ends of the count the contestant is in full work, so
what it has begun before the one makes up for what it has begun before the other."""


@dataclass(frozen=True)
class StageRun:
    """One run: events a second, CPU of the contestant's process for each, the most memory it had."""

    events: int
    per_second: float
    cpu_us: float
    memory_mib: float


def run(servers: Instance, contestant: Contestant, setting: Setting, events: int, warm_up: int) -> StageRun:
    """Fill the queue, start the contestant, count ``events`` from when ``warm_up`` are done.

    Raises ``Broken`` when something was lost or doubled.
    """
    items = range(warm_up + events + TAIL)
    with arena(servers, contestant) as place:
        fill(place, items)
        with _running(place, setting, items) as (process, counting):
            first, started, cpu_started = _wait(process, counting, warm_up), *_clocks(process)
            last, ended, cpu_ended = _wait(process, counting, warm_up + events), *_clocks(process)
            _wait(process, counting, len(items))
            _until_quiet(place)
            done, cpu_seconds = last - first, cpu_ended - cpu_started
            return StageRun(
                done, done / (ended - started), cpu_seconds * 1e6 / done, process.memory_peak_mib()
            )


def run_backlog(
    servers: Instance, contestant: Contestant, setting: Setting, events: int, rounds: int, warm_up: int
) -> StageRun:
    """Have ``events`` wait, then count until all are done and forgotten; ``rounds`` times, taken together.

    While a small backlog is filled the contestant stands still; that would cost it the connection where
    filling takes long, so with a single round it starts when its backlog is there.

    Raises ``Broken`` when something was lost or doubled.
    """
    items = range(warm_up + rounds * events)
    with arena(servers, contestant) as place:
        fill(place, items[:warm_up] if rounds > 1 else items)
        with _running(place, setting, items) as (process, counting):
            done = _wait(process, counting, warm_up)
            seconds = cpu_seconds = 0.0
            for number in range(rounds):
                if rounds > 1:
                    _until_quiet(place)
                    with process.paused():
                        fill(place, items[warm_up + number * events :][:events])
                        place.settle()
                first, started, cpu_started = done, *_clocks(process)
                done = _wait(process, counting, warm_up + (number + 1) * events)
                ended = time.perf_counter()
                _until_quiet(place)
                seconds += ended - started
                cpu_seconds += process.cpu_seconds() - cpu_started
            counted = rounds * events if rounds > 1 else done - first
            return StageRun(
                counted, counted / seconds, cpu_seconds * 1e6 / counted, process.memory_peak_mib()
            )


@contextmanager
def _running(place: Arena, setting: Setting, items: range) -> Iterator[tuple[Process, Counting]]:
    """The contestant at work in the block; afterwards its books are checked."""
    place.settle()
    process = place.process(setting)
    try:
        process.start()
        with closing(Counting(place)) as counting:
            yield process, counting
    finally:
        process.stop()
    try:
        books(place).check(items)
    except Broken as broken:
        raise Broken(f"{place.contestant.name}: {broken}") from None


def _clocks(process: Process) -> tuple[float, float]:
    return time.perf_counter(), process.cpu_seconds()


def _until_quiet(place: Arena) -> None:
    """Wait until nothing is left to be published or acknowledged."""
    until(lambda: place.one("SELECT NOT EXISTS (SELECT FROM outbox)")[0], 20.0, "the outbox stays full")
    time.sleep(0.2)  # for the last acknowledgements


def _wait(process: Process, counting: Counting, count: int) -> int:
    """Wait until the downstream queue holds so many; returns how many it holds."""
    before, changed_at = -1, time.monotonic()
    while (now := counting.count()) < count:
        process.check_alive()
        if now != before:
            before, changed_at = now, time.monotonic()
        assert time.monotonic() - changed_at < STUCK_SECONDS, f"stuck at {now}:\n{process.tail()}"
        time.sleep(POLL_SECONDS)
    return now
