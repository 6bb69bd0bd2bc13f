"""A seeded random walk over all faults: ``make faults DURATION=120 SEED=7``.

On a two-service stage under load two walkers at a time each break something, hold it, and mend it: they kill
and pause processes, kill, restart and pause servers, cut, delay and silence links. It says what it does on
standard error, prints a report in JSON at the end, and exits 1 unless nothing was lost, doubled, unasked or
put aside. The same seed takes the same steps; their timing is the machine's.
"""

from __future__ import annotations

import json
import random
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click

from shared.testing.stage import EFFECTS, Difference, Stage
from tests.faults.links import Links
from tests.faults.load import Load
from tests.faults.proxy import Proxy
from tests.faults.servers import Breakable, Server, breakable
from tests.faults.test_database_killed import COMMITTED

PREFIX = "walk-"
WALKERS = 2
CALM_SECONDS = 3.0
"""How long a walker rests between two steps, at the most."""
CALLERS = 8
SETTLED_WITHIN_SECONDS = 180.0
Step = Callable[[random.Random], None]


class Walk:
    """What can be done to which part of the stage. A part is in one walker's hand at a time."""

    def __init__(self, servers: Breakable, stage: Stage, links: Links, seed: int) -> None:
        self._servers = servers
        self._stage = stage
        self._seed = seed
        self._started = time.monotonic()
        self._in_hand: dict[str, threading.Lock] = {}
        self.taken: Counter[str] = Counter()
        self._steps: list[tuple[str, str, Step]] = []
        for service in stage.processes:
            self._add(service, 6, kill=self._kill(service), pause=self._pause(service))
        for service, link in links.broker.items():
            self._add_link(f"link of {service} to the broker", link)
        for service, link in links.database.items():
            name = f"link of {service} to its database"
            self._add_link(name, link)
            self._add(
                name, 2, cut_at_commit=lambda rng, link=link: link.cut_at(COMMITTED, times=rng.randint(1, 10))
            )
        self._add_link("link of the callers to the broker", links.callers)
        self._add("rabbitmq", 1, restart=self._restart("rabbitmq"), kill=self._kill_server("rabbitmq"))
        self._add("rabbitmq", 2, pause=self._pause_broker, fill_disk=self._fill_disk)
        self._add("postgres", 2, restart=self._restart("postgres"), kill=self._kill_server("postgres"))

    def go(self, seconds: float) -> None:
        """Walk for so long."""
        ends_at = time.monotonic() + seconds

        def walk(number: int) -> None:
            rng = random.Random(f"{self._seed}-{number}")
            while time.monotonic() < ends_at:
                time.sleep(rng.uniform(0.0, CALM_SECONDS))
                self._step(rng)

        with ThreadPoolExecutor(WALKERS) as threads:
            for walking in [threads.submit(walk, number) for number in range(WALKERS)]:
                walking.result()

    def say(self, what: str) -> None:
        print(f"{time.monotonic() - self._started:7.1f} s  {what}", file=sys.stderr, flush=True)

    def _step(self, rng: random.Random) -> None:
        part, name, step = rng.choice(self._steps)
        lock = self._in_hand[part]
        own = random.Random(rng.random())
        if not lock.acquire(blocking=False):
            return
        try:
            self.say(f"{part}: {name}")
            self.taken[name] += 1
            step(own)
        finally:
            lock.release()

    def _add(self, part: str, weight: int, **steps: Step) -> None:
        self._in_hand.setdefault(part, threading.Lock())
        self._steps += [(part, name.replace("_", " "), step) for name, step in steps.items()] * weight

    def _add_link(self, name: str, link: Proxy) -> None:
        def held(break_it: Callable[[random.Random], None], longest_seconds: float) -> Step:
            def step(rng: random.Random) -> None:
                break_it(rng)
                time.sleep(rng.uniform(0.2, longest_seconds))
                link.flow()

            return step

        self._add(
            name,
            1,
            cut=lambda _: link.cut(),
            delay=held(lambda rng: link.delay(rng.uniform(0.02, 0.5)), 5.0),
            silence=held(lambda _: link.silence(), 8.0),
            refuse=held(lambda _: link.refuse(), 5.0),
            freeze=lambda _: link.freeze(),
            cut_in_a_reply=lambda rng: link.cut_at(keep_bytes=rng.randint(0, 100), times=rng.randint(1, 3)),
        )

    def _kill(self, service: str) -> Step:
        def kill(rng: random.Random) -> None:
            process = self._stage.processes[service]
            process.kill()
            time.sleep(rng.uniform(0.0, 2.0))
            process.start()

        return kill

    def _pause(self, service: str) -> Step:
        def pause(rng: random.Random) -> None:
            process = self._stage.processes[service]
            process.signal(signal.SIGSTOP)
            time.sleep(rng.uniform(0.2, 8.0))
            process.signal(signal.SIGCONT)

        return pause

    def _restart(self, server: Server) -> Step:
        def restart(rng: random.Random) -> None:
            with self._servers.stopped(server):
                time.sleep(rng.uniform(0.0, 5.0))

        return restart

    def _kill_server(self, server: Server) -> Step:
        return lambda _: self._servers.kill_and_mend(server)

    def _pause_broker(self, rng: random.Random) -> None:
        with self._servers.paused("rabbitmq"):
            time.sleep(rng.uniform(0.2, 10.0))

    def _fill_disk(self, rng: random.Random) -> None:
        with self._servers.disk_alarm():
            time.sleep(rng.uniform(0.2, 10.0))


def walked(servers: Breakable, seed: int, seconds: float, folder: Path) -> dict[str, Any]:
    """Walk, mend all, wait until all is settled; returns the report."""
    stage = Stage(servers, "walk", folder, module="tests.faults.planted")
    stage.environments = {service: {"ANSWER_SECONDS": "5"} for service in stage.databases}
    with Links(stage) as links:
        try:
            stage.up()
            walk = Walk(servers, stage, links, seed)
            with Load(
                stage, PREFIX, callers=CALLERS, patience_seconds=seconds + SETTLED_WITHIN_SECONDS
            ) as load:
                walk.go(seconds)
                walk.say("everything is mended")
                for link in links.all():
                    link.flow()
                for process in stage.processes.values():
                    process.wait_ready(60.0)
            walk.say(f"{len(load.accepted)} items are accepted; waiting until all is settled")
            differences = settled(stage, load.accepted)
            return {
                "seed": seed,
                "duration": seconds,
                "accepted": len(load.accepted),
                "failed_calls": load.failures,
                "steps": dict(sorted(walk.taken.items())),
                **{how: sum(getattr(d, how) for d in differences) for how in ("lost", "doubled", "unasked")},
                "dead_letters": stage.dead_letters(),
            }
        finally:
            stage.down()


def settled(stage: Stage, accepted: list[str]) -> list[Difference]:
    """What is lost, doubled or unasked of each effect, once nothing is under way any more."""
    try:
        stage.until_all_effects(accepted, PREFIX, SETTLED_WITHIN_SECONDS)
    except AssertionError as error:
        print(error, file=sys.stderr)
    return [stage.difference(what, accepted, PREFIX) for what in EFFECTS]


@click.command(help=__doc__)
@click.option("--duration", type=float, default=120.0, show_default=True, help="Seconds.")
@click.option("--seed", type=int, default=None, help="Any number; a random one when left out.")
def main(duration: float, seed: int | None) -> None:
    seed = secrets.randbelow(10**6) if seed is None else seed
    print(f"seed {seed}, {duration:g} s", file=sys.stderr)
    with breakable() as servers:
        folder = Path(tempfile.mkdtemp(prefix="walk-", dir=servers.run))
        report = walked(servers, seed, duration, folder)
    print(json.dumps(report))
    if any(report[how] for how in ("lost", "doubled", "unasked", "dead_letters")):
        print(f"the processes' logs are in {folder}", file=sys.stderr)
        sys.exit(1)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main(prog_name="python -m tests.faults.walk")
