"""``python -m deploy.demo``: bring everything up, let citizens go the whole way, check every promise.

Exit status 1 when anything is lost or doubled, or a citizen did not get through.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.demo.containers import Containers
from deploy.demo.journey import STAGES, Journey, travel
from deploy.demo.scenes import SCENES, Scene, play
from deploy.demo.summary import result, show
from deploy.demo.world import Installation, World, prepare
from deploy.native.instance import Instance, NotReady
from shared.testing.inbox import Inbox
from shared.testing.ledger import Ledger

FINAL_WITHIN_SECONDS = 60.0


@click.command(help=__doc__)
@click.option("--citizens", envvar="CITIZENS", default=20, show_default=True, type=click.IntRange(1, 5000))
@click.option("--run", "run_dir", envvar="RUN", default=".run", show_default=True, help="Its folder.")
@click.option("--engine", envvar="ENGINE", default="native", type=click.Choice(["native", "compose"]))
@click.option("--seed", type=int, help="The same citizens again; new ones without it.")
@click.option("--at-once", default=4, show_default=True, help="Citizens on their way at the same time.")
def main(citizens: int, run_dir: str, engine: str, seed: int | None, at_once: int) -> None:
    console = Console()
    began = time.monotonic()
    seed = secrets.randbelow(2**31) if seed is None else seed
    console.rule(f"[bold]VssID – Bảo hiểm xã hội số[/bold] · {citizens} công dân thử · seed {seed}")
    try:
        installation: Installation = Containers() if engine == "compose" else bring_up(console, run_dir)
    except NotReady as problem:
        console.print(f"[red]{problem}[/red]")
        sys.exit(1)
    with console.status("Chuẩn bị công dân, cán bộ, quá trình tham gia · preparing people"):
        world = prepare(installation, citizens, seed, {name: play.roles for name, play in SCENES.items()})
    endpoints = installation.endpoints()
    inbox, ledger = Inbox(str(endpoints["sms"]), str(endpoints["mail"])), Ledger(endpoints)
    journeys = travel_all(console, world, str(endpoints["gateway"]), inbox, ledger, at_once)
    scenes = play_all(console, world, endpoints, inbox, ledger, at_once)
    with console.status("Đối chiếu sổ · checking the ledger"):
        report = ledger.wait_until_final(FINAL_WITHIN_SECONDS)
    show(console, journeys, scenes, report, inbox)
    print(json.dumps(result(journeys, scenes, report, time.monotonic() - began)))
    all_well = all(journey.is_through for journey in journeys) and not any(s.problem for s in scenes)
    sys.exit(0 if report.is_clean and all_well else 1)


def bring_up(console: Console, run_dir: str) -> Instance:
    """The installation, running. Raises ``NotReady``."""
    with console.status("Khởi động · starting the installation") as status:

        def say(what: str, seconds: float) -> None:
            status.update(f"Khởi động · starting: {what} ({seconds:.1f} s)")

        instance = Instance(run_dir, say)
        instance.up("all")
    console.print(f"[green]✓[/green] Sẵn sàng · ready: {instance.endpoints()['gateway']}")
    return instance


def travel_all(
    console: Console, world: World, gateway: str, inbox: Inbox, ledger: Ledger, at_once: int
) -> list[Journey]:
    """All journeys, a few at a time, with a bar for each stage."""
    columns = (TextColumn("{task.description:<42}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress, ThreadPoolExecutor(at_once) as together:
        bars = {name: progress.add_task(words, total=len(world.citizens)) for name, words in STAGES.items()}
        work = [
            together.submit(
                travel, citizen, world, gateway, inbox, ledger, lambda name: progress.advance(bars[name])
            )
            for citizen in world.citizens
        ]
        return [done.result() for done in as_completed(work)]


def play_all(
    console: Console,
    world: World,
    endpoints: Mapping[str, Any],
    inbox: Inbox,
    ledger: Ledger,
    at_once: int,
) -> list[Scene]:
    """All scenes, a few at a time, in the order of ``SCENES``."""
    scenes = [
        Scene(name, people, world, str(endpoints["gateway"]), endpoints["databases"], inbox, ledger)
        for name, people in world.cast.items()
    ]
    waiting = console.status("Những trường hợp khác · other ways it can go")
    with waiting, ThreadPoolExecutor(at_once) as together:
        return list(together.map(play, scenes))


if __name__ == "__main__":
    main()
