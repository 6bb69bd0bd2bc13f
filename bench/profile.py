"""Where each microsecond of ours goes: ``python -m bench.profile stage`` or ``lookup`` (py-spy, so as root).

Samples the running process under full load from outside, and spreads the CPU that it used for one event, or
one call, over the code in which it was seen. ``--write`` puts the tables into ``docs/performance.md``.
"""

from __future__ import annotations

import subprocess
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bench import document
from bench.arena import Arena, Counting, arena, fill
from bench.calling import Caller
from bench.contestants import LOOKUP, STAGE, Contestant, Process
from deploy.native.instance import Instance
from shared.messaging.connection import channel
from shared.testing.processes import ROOT

RATE = 400
TOP = 25
PACKAGES = sysconfig.get_path("purelib") + "/"
STDLIB = sysconfig.get_path("stdlib") + "/"
STATEMENTS = {f"Transaction.{method}" for method in ("one", "all", "run", "run_many")}
"""The time in them belongs to whoever runs the statement."""


@dataclass(frozen=True)
class Frame:
    """A function and the file it is in, named from the repository or from its package."""

    function: str
    file: str

    @property
    def is_ours(self) -> bool:
        return self.file.startswith(("shared/", "bench/", "services/"))

    @property
    def package(self) -> str:
        return self.file if self.is_ours else self.file.split("/")[0].removesuffix(".py")


NOWHERE = (Frame("between green threads", "greenlet"),)


@dataclass(frozen=True)
class Profile:
    """Samples by stack (outermost first), and the CPU they stand for: microseconds for each unit of work."""

    stacks: Counter[tuple[Frame, ...]]
    cpu_us: float
    units: int

    def cost(self, samples: int) -> float:
        """Microseconds for each unit that so many samples stand for."""
        return self.cpu_us * samples / self.stacks.total()

    def steps(self) -> list[tuple[str, float, str]]:
        """Each step of ours with its cost and the packages below it that cost most, the dearest first."""
        steps: Counter[str] = Counter()
        below: dict[str, Counter[str]] = {}
        for stack, samples in self.stacks.items():
            step = _step(stack)
            steps[step] += samples
            below.setdefault(step, Counter())[stack[-1].package] += samples
        return [
            (
                step,
                self.cost(samples),
                ", ".join(f"{package} {self.cost(n):.0f}" for package, n in below[step].most_common(3)),
            )
            for step, samples in steps.most_common(TOP)
        ]

    def functions(self) -> list[tuple[str, float, float]]:
        """Each function with its own cost and that with all it calls."""
        alone: Counter[Frame] = Counter()
        whole: Counter[Frame] = Counter()
        for stack, samples in self.stacks.items():
            alone[stack[-1]] += samples
            for frame in set(stack):
                whole[frame] += samples
        return [
            (f"{frame.file} {frame.function}", self.cost(samples), self.cost(whole[frame]))
            for frame, samples in alone.most_common(TOP)
        ]


def _step(stack: tuple[Frame, ...]) -> str:
    """The innermost function of ours that the sample was in."""
    statement = ""
    for frame in reversed(stack):
        if frame.file == "shared/database.py" and frame.function in STATEMENTS:
            statement = " (its statement)"
        elif frame.is_ours:
            return f"{frame.file} {frame.function.partition('.<locals>')[0]}{statement}"
    return f"outside of ours ({stack[0].package})"


def parse(raw: str) -> Counter[tuple[Frame, ...]]:
    """py-spy's raw format: frames separated by semicolons, then how often."""
    stacks: Counter[tuple[Frame, ...]] = Counter()
    for line in raw.splitlines():
        frames, _, count = line.rpartition(" ")
        stacks[tuple(_frames(frames)) or NOWHERE] += int(count)
    return stacks


def _frames(text: str) -> Iterator[Frame]:
    for part in text.split(";"):
        function, _, place = part.rpartition(" (")
        file = place.removesuffix(")").rpartition(":")[0] or place
        if not function:
            continue
        for prefix in (PACKAGES, STDLIB, f"{ROOT}/"):  # the environment is a folder of the repository
            file = file.removeprefix(prefix)
        yield Frame(function, file)


# -- taking one ------------------------------------------------------------------------------------------


def stage(servers: Instance, seconds: float, batch: int) -> Profile:
    """Our listener on a full queue."""
    setting = {"BATCH": str(batch)}
    events = int(seconds * 3_000) + 3_000
    with (
        _running(servers, STAGE[0], setting, events) as (process, place),
        closing(Counting(place)) as counting,
    ):
        while counting.count() < 1_000:
            process.check_alive()
            time.sleep(0.01)
        return _sample(process, counting.count, seconds)


def lookup(servers: Instance, seconds: float, in_flight: int) -> Profile:
    """Our look-up with so many calls in flight."""
    with _running(servers, LOOKUP[0], {}) as (process, place), channel(place.amqp_url) as calling:
        caller = Caller(calling, "ours")
        caller.start(1)
        caller.run_for(0.1)
        caller.start(in_flight - 1)
        caller.run_for(1.0)
        profile = _sample(process, lambda: caller.answered, seconds, lambda: caller.run_for(0.1))
        caller.finish()
        return profile


@contextmanager
def _running(
    servers: Instance, contestant: Contestant, setting: dict[str, str], events: int = 0
) -> Iterator[tuple[Process, Arena]]:
    with arena(servers, contestant) as place:
        fill(place, range(events))
        place.settle()
        process = place.process(setting)
        process.start()
        try:
            yield process, place
        finally:
            process.stop()


def _sample(
    process: Process,
    count: Callable[[], int],
    seconds: float,
    meanwhile: Callable[[], None] = lambda: time.sleep(0.05),
) -> Profile:
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        first, cpu_started = count(), process.cpu_seconds()
        spy = subprocess.Popen(  # noqa: S603 - our own command
            [
                str(Path(sysconfig.get_path("scripts")) / "py-spy"), "record", "--pid", str(process.pid),
                "--duration", str(int(seconds)), "--rate", str(RATE), "--format", "raw", "--function",
                "--full-filenames", "--output", str(raw),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        while spy.poll() is None:
            meanwhile()
        units = count() - first
        cpu_us = (process.cpu_seconds() - cpu_started) * 1e6 / units
        if spy.returncode:
            raise click.ClickException(f"py-spy: {spy.stderr.read() if spy.stderr else ''}")
        return Profile(parse(raw.read_text()), cpu_us, units)


# -- showing it ------------------------------------------------------------------------------------------


@click.command()
@click.argument("what", type=click.Choice(["stage", "lookup"]))
@click.option("--run", default=".run/bench", show_default=True, help="Folder of the servers.")
@click.option("--seconds", default=8.0, show_default=True)
@click.option("--batch", default=400, show_default=True, type=click.Choice([100, 200, 400]))
@click.option("--in-flight", default=100, show_default=True)
@click.option("--write", is_flag=True, help="Keep it in docs/performance.md.")
def main(what: str, run: str, seconds: float, batch: int, in_flight: int, write: bool) -> None:
    """Print where each microsecond of an event (stage) or of a call (lookup) goes."""
    servers = Instance(run)
    servers.up("servers")
    profile = stage(servers, seconds, batch) if what == "stage" else lookup(servers, seconds, in_flight)
    unit = {"stage": "event", "lookup": "call"}[what]
    title = (
        f"{profile.cpu_us:.0f} µs of CPU for each {unit} "
        f"({profile.units} of them, {profile.stacks.total()} samples)"
    )
    console = Console(width=150)
    steps = Table("step", "µs", "below it, µs", title=title)
    for step, cost, below in profile.steps():
        steps.add_row(step, f"{cost:.1f}", below)
    functions = Table("function", "alone, µs", "with what it calls, µs")
    for function, alone, whole in profile.functions():
        functions.add_row(function, f"{alone:.1f}", f"{whole:.1f}")
    console.print(steps, functions)
    if write:
        rows = "\n".join(f"| `{step}` | {cost:.1f} | {below} |" for step, cost, below in profile.steps())
        document.write(
            f"profile-{what}", f"{title}.\n\n| step | µs | below it, µs |\n| --- | ---: | --- |\n{rows}"
        )


if __name__ == "__main__":
    main()
