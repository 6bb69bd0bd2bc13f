"""(a) One event stage and (d) the backlog: cost of each event, from a full queue."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass

from bench.arena import Arena, Broken, Counting, arena, books, fill
from bench.contestants import Contestant, Process, Setting
from deploy.native.instance import Instance
from shared.testing.processes import until

POLL_SECONDS = 0.01
STUCK_SECONDS = 30.0


@dataclass(frozen=True)
class StageRun:
    """One run: events a second, CPU of the contestant's process for each, the most memory it had."""

    events: int
    per_second: float
    cpu_us: float
    memory_mib: float


def run(servers: Instance, contestant: Contestant, setting: Setting, events: int, warm_up: int) -> StageRun:
    """Fill the queue, start the contestant, count from when ``warm_up`` events are done to when all are.

    Raises ``Broken`` when something was lost or doubled.
    """
    items = range(warm_up + events)
    with arena(servers, contestant) as place:
        fill(place, items)
        place.settle()
        process = place.process(setting)
        try:
            process.start()
            with closing(Counting(place)) as counting:
                measured = _measure(place, process, counting, warm_up, len(items))
        finally:
            process.stop()
        try:
            books(place).check(items)
        except Broken as broken:
            raise Broken(f"{contestant.name}: {broken}") from None
    return measured


def _measure(place: Arena, process: Process, counting: Counting, warm_up: int, all_items: int) -> StageRun:
    first = _wait(process, counting, warm_up)
    started, cpu_started = time.perf_counter(), process.cpu_seconds()
    last = _wait(process, counting, all_items)
    seconds = time.perf_counter() - started
    until(lambda: place.one("SELECT NOT EXISTS (SELECT FROM outbox)")[0], 20.0, "the outbox stays full")
    time.sleep(0.2)  # for the last acknowledgements
    cpu_seconds = process.cpu_seconds() - cpu_started
    done = last - first
    return StageRun(done, done / seconds, cpu_seconds * 1e6 / done, process.memory_peak_mib())


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
