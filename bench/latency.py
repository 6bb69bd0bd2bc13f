"""(c) One event alone: from publish until its effect is committed."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import psycopg

from bench import work
from bench.arena import Asking, Broken, arena, books
from bench.contestants import Contestant, Setting
from deploy.native.instance import Instance
from shared.messaging.connection import channel
from shared.testing.processes import until

PAUSE_SECONDS = 0.01
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class LatencyRun:
    """One run: the milliseconds that each event took."""

    milliseconds: list[float]

    @property
    def median_ms(self) -> float:
        return statistics.median(self.milliseconds)


def run(servers: Instance, contestant: Contestant, setting: Setting, events: int, warm_up: int) -> LatencyRun:
    """Publish one event, wait until PostgreSQL tells of its committed row, pause, and so on.

    Raises ``Broken`` when an event has no effect, or another's effect is told.
    """
    items = range(warm_up + events)
    milliseconds = []
    with arena(servers, contestant, work.TELL_EFFECTS) as place:
        process = place.process(setting)
        try:
            process.start()
            with (
                channel(place.amqp_url) as asking_channel,
                psycopg.connect(place.database_url, autocommit=True) as hearing,
            ):
                asking = Asking(asking_channel)
                hearing.execute("LISTEN effects")
                for item in items:
                    started = time.perf_counter()
                    asking.ask(item)
                    told = [n.payload for n in hearing.notifies(timeout=PATIENCE_SECONDS, stop_after=1)]
                    milliseconds.append((time.perf_counter() - started) * 1e3)
                    if told != [str(item)]:
                        raise Broken(f"{contestant.name}: after event {item} it told of {told}")
                    time.sleep(PAUSE_SECONDS)
            until(
                lambda: place.one("SELECT NOT EXISTS (SELECT FROM outbox)")[0], 20.0, "the outbox stays full"
            )
            time.sleep(0.2)  # for the last acknowledgement
        finally:
            process.stop()
        books(place).check(items)
    return LatencyRun(milliseconds[warm_up:])
