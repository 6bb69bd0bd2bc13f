"""(b) One look-up RPC of ten rows, with 1, 20 and 100 calls in flight."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from bench.arena import arena
from bench.calling import Caller
from bench.contestants import Contestant, Setting
from deploy.native.instance import Instance
from shared.messaging.connection import channel


@dataclass(frozen=True)
class LookupRun:
    """One run: calls answered, calls a second, CPU of the server's process for each, median time of each."""

    calls: int
    per_second: float
    cpu_us: float
    median_ms: float


def run(
    servers: Instance,
    contestant: Contestant,
    setting: Setting,
    in_flight: int,
    seconds: float,
    warm_up: float,
) -> LookupRun:
    """Keep ``in_flight`` calls in flight for ``seconds`` after ``warm_up`` seconds."""
    with arena(servers, contestant) as place:
        place.settle()
        process = place.process(setting)
        try:
            process.start()
            with channel(place.amqp_url) as calling:
                caller = Caller(calling, contestant.rpc)
                caller.start(1)
                caller.run_for(0.1)  # returns after the first reply: the contestant is up
                caller.start(in_flight - 1)
                caller.run_for(warm_up)
                first, cpu_started = caller.answered, process.cpu_seconds()
                started = time.perf_counter()
                caller.run_for(seconds)
                elapsed = time.perf_counter() - started
                cpu_seconds, calls = process.cpu_seconds() - cpu_started, caller.answered - first
                caller.finish()
        finally:
            process.stop()
    return LookupRun(
        calls, calls / elapsed, cpu_seconds * 1e6 / calls, statistics.median(caller.seconds[first:]) * 1e3
    )
