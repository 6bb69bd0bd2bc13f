"""The command line: ``python -m bench`` measures everything, ``python -m bench stage --quick`` one part in
small, ``python -m bench report`` shows the last run again."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import click

from bench import latency, log_ins, lookup, machine, records, registrations, report, stage
from bench.arena import Broken
from bench.contestants import LOOKUP, STAGE, Contestant, Setting
from bench.records import Records
from deploy.native.instance import Instance
from shared.testing.processes import ROOT

PARTS = ("stage", "lookup", "latency", "backlog", "registrations", "log_ins")
Run = TypeVar("Run")
Swept = stage.StageRun | lookup.LookupRun


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    repetitions: int
    sweep: bool
    stage_events: int
    stage_warm_up: int
    sweep_events: int
    lookup_seconds: float
    lookup_warm_up: float
    sweep_seconds: float
    latency_events: int
    latency_warm_up: int
    backlog: tuple[tuple[int, int, int], ...]
    """How many events wait, how many runs are made of that, and how often it happens in one run."""
    earlier: tuple[int, int]
    """How many registrations there are already."""
    registrations: int
    log_ins: tuple[int, float]
    """How many people log in at once, and for how many seconds."""


FULL = Size(
    repetitions=5, sweep=True, stage_events=5_000, stage_warm_up=500, sweep_events=1_500,
    lookup_seconds=5.0, lookup_warm_up=2.0, sweep_seconds=2.0, latency_events=200, latency_warm_up=50,
    backlog=((1_000, 5, 20), (10_000, 5, 3), (100_000, 3, 1), (1_000_000, 1, 1)),
    earlier=(1_000, 1_000_000), registrations=40, log_ins=(20, 30.0),
)  # fmt: skip
QUICK = Size(
    repetitions=1, sweep=False, stage_events=2_000, stage_warm_up=400, sweep_events=0,
    lookup_seconds=3.0, lookup_warm_up=1.0, sweep_seconds=0.0, latency_events=100, latency_warm_up=20,
    backlog=((1_000, 2, 10), (10_000, 1, 2)), earlier=(1_000, 50_000), registrations=10, log_ins=(20, 15.0),
)  # fmt: skip
BACKLOG_WARM_UP = 600


@dataclass(frozen=True)
class Bench:
    """One run of the bench."""

    servers: Instance
    records: Records
    size: Size

    def stage(self) -> None:
        """(a)"""

        def one(events: int, contestant: Contestant, setting: Setting) -> stage.StageRun:
            return stage.run(self.servers, contestant, setting, events, self.size.stage_warm_up)

        best = {c: self._best("stage", c, partial(one, self.size.sweep_events)) for c in STAGE}
        runs = self._alternate("stage", best, partial(one, self.size.stage_events))
        self.records.keep("stage", {c.name: records.of_stage(runs[c], best[c]) for c in STAGE})

    def lookup(self) -> None:
        """(b)"""

        def one(in_flight: int, seconds: float, contestant: Contestant, setting: Setting) -> lookup.LookupRun:
            warm_up = self.size.lookup_warm_up
            return lookup.run(self.servers, contestant, setting, in_flight, seconds, warm_up)

        found: dict[str, Any] = {}
        for in_flight in (1, 20, 100):
            what = f"look-up, {in_flight} in flight"
            sweeping = partial(one, in_flight, self.size.sweep_seconds)
            best = {c: self._best(what, c, sweeping) for c in LOOKUP}
            runs = self._alternate(what, best, partial(one, in_flight, self.size.lookup_seconds))
            found[str(in_flight)] = {c.name: records.of_lookup(runs[c], best[c]) for c in LOOKUP}
        self.records.keep("lookup", found)

    def latency(self) -> None:
        """(c) Settings do not matter: nothing waits."""

        def one(contestant: Contestant, setting: Setting) -> latency.LatencyRun:
            return latency.run(
                self.servers, contestant, setting, self.size.latency_events, self.size.latency_warm_up
            )

        usual = {c: c.sweep[0] for c in STAGE if c.name != "faststream"}
        runs = self._alternate("one event alone", usual, one)
        self.records.keep("latency", {c.name: records.of_latency(runs[c]) for c in usual})

    def backlog(self) -> None:
        """(d) Ours alone, as it is shipped; the sizes alternate as contestants do."""
        ours = STAGE[0]
        runs: dict[int, list[stage.StageRun]] = {events: [] for events, _, _ in self.size.backlog}
        for repetition in range(max(times for _, times, _ in self.size.backlog)):
            for events, times, rounds in self.size.backlog:
                if repetition < times:
                    run = stage.run_backlog(
                        self.servers, ours, ours.sweep[0], events, rounds, BACKLOG_WARM_UP
                    )
                    runs[events].append(run)
                    _say(f"backlog {events:,}, run {repetition + 1} of {times}", ours, ours.sweep[0], run)
        self.records.keep(
            "backlog", {str(events): records.of_stage(of, ours.sweep[0]) for events, of in runs.items()}
        )

    def registrations(self) -> None:
        """(e) The whole product, on servers of its own."""
        with registrations.product(self.servers.run / "product") as servers:
            sizes = {earlier: registrations.Size(servers, earlier) for earlier in self.size.earlier}
            for earlier, size in sizes.items():
                click.echo(f"{time.strftime('%H:%M:%S')}  making {earlier:,} earlier registrations")
                size.make()
            runs: dict[int, list[registrations.RegistrationRun]] = {earlier: [] for earlier in sizes}
            for repetition in range(min(3, self.size.repetitions)):
                for earlier, size in sizes.items():
                    run = size.measure(self.size.registrations)
                    runs[earlier].append(run)
                    what = f"{earlier:,} earlier, run {repetition + 1}"
                    click.echo(f"{time.strftime('%H:%M:%S')}  {what}: {run.shown}")
        self.records.keep("registrations", {str(n): registrations.of_runs(of) for n, of in runs.items()})

    def log_ins(self) -> None:
        """(f) The whole product, on servers of its own."""
        people, seconds = self.size.log_ins
        servers = Instance(self.servers.run / "log-ins")
        servers.up("all")
        try:
            measured = log_ins.LogIns(servers, len(os.sched_getaffinity(0)))
            click.echo(f"{time.strftime('%H:%M:%S')}  making {people} accounts")
            measured.make(people)
            runs = []
            for repetition in range(self.size.repetitions):
                runs.append(measured.measure(seconds))
                click.echo(f"{time.strftime('%H:%M:%S')}  log-ins, run {repetition + 1}: {runs[-1].shown}")
        finally:
            servers.down()
        self.records.keep("log_ins", log_ins.of_runs(runs))

    def _best(
        self, what: str, contestant: Contestant, one: Callable[[Contestant, Setting], Swept]
    ) -> Setting:
        """The setting with the highest rate in one short run each."""
        if not self.size.sweep or len(contestant.sweep) == 1:
            return contestant.sweep[0]
        rates = []
        for setting in contestant.sweep:
            run = one(contestant, setting)
            _say(f"{what}, sweep", contestant, setting, run)
            rates.append(run.per_second)
        return contestant.sweep[rates.index(max(rates))]

    def _alternate(
        self,
        what: str,
        settings: dict[Contestant, Setting],
        one: Callable[[Contestant, Setting], Run],
    ) -> dict[Contestant, list[Run]]:
        """A B C A B C …"""
        runs: dict[Contestant, list[Run]] = {contestant: [] for contestant in settings}
        for repetition in range(self.size.repetitions):
            for contestant, setting in settings.items():
                run = one(contestant, setting)
                runs[contestant].append(run)
                _say(f"{what}, run {repetition + 1} of {self.size.repetitions}", contestant, setting, run)
        return runs


def _say(what: str, contestant: Contestant, setting: Setting, run: Any) -> None:
    found = (
        f"{run.median_ms:.2f} ms"
        if isinstance(run, latency.LatencyRun)
        else f"{run.per_second:,.0f} /s, {run.cpu_us:,.0f} µs of CPU each"
    )
    chosen = " ".join(f"{name}={value}" for name, value in setting.items())
    click.echo(f"{time.strftime('%H:%M:%S')}  {what:<34} {contestant.name:<13} {chosen:<36} {found}")


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice([*PARTS, "report"]))
@click.option("--quick", is_flag=True, help="In small, for development; results go to <run>/results.")
@click.option("--run", default=".run/bench", show_default=True, help="Folder of the servers.")
def main(parts: Sequence[str], quick: bool, run: str) -> None:
    """Measure PARTS (by default all) and show what came out.

    Exit 1 when a contestant lost or doubled an item; a target that is missed is shown, and is no error.
    """
    load = os.getloadavg()[0]
    servers = Instance(run)
    kept = Records(servers.run / "results" if quick else ROOT / "bench" / "results")
    if "report" not in parts:
        servers.up("servers")
        described = machine.describe(servers, load)
        if load >= machine.QUIET_LOAD:
            click.echo(f"Other work is going on here (load {load:.1f}): figures are not to be compared.")
        bench = Bench(servers, kept, QUICK if quick else FULL)
        try:
            for part in parts or PARTS:
                getattr(bench, part)()
                kept.keep("machine", {**kept.read("machine"), part: described})
        except Broken as broken:
            click.echo(f"Not valid: {broken}", err=True)
            sys.exit(1)
        finally:
            servers.down()
    report.show(kept)
    if not quick:
        report.publish(kept)


if __name__ == "__main__":
    main()
