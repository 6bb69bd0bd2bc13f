"""The command line of a native installation: ``python -m deploy.native up``, ``down``, ``status``, …"""

import json
import os
import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from deploy.native import site
from deploy.native.instance import Instance, NotReady

run_option = click.option("--run", default=".run", show_default=True, help="Folder of the installation.")


@click.group()
def cli() -> None:
    """Run the whole product on this machine, on loopback, under one folder."""


def _say(what: str, seconds: float) -> None:
    click.echo(f"  ready  {what:<24} {seconds:5.1f} s", err=True)


def _up(run: str, action: str, *arguments: str) -> None:
    started = time.monotonic()
    instance = Instance(run, _say)
    try:
        site.keep(instance.run)
        getattr(instance, action)(*arguments)
    except NotReady as problem:
        click.echo(f"\n{problem}", err=True)
        sys.exit(1)
    click.echo(f"Up after {time.monotonic() - started:.1f} s: {instance.endpoints()['gateway']}", err=True)


@cli.command()
@run_option
@click.option("--servers", is_flag=True, help="Only RabbitMQ, PostgreSQL and Redis.")
def up(run: str, servers: bool) -> None:
    """Start what does not run yet and wait until it is ready."""
    _up(run, "up", "servers" if servers else "all")


@cli.command()
@run_option
def restart(run: str) -> None:
    """Start services and stand-ins anew, with the code as it is now."""
    _up(run, "restart")


@cli.command()
@run_option
def down(run: str) -> None:
    """Stop all that was started; the data stays."""
    started = time.monotonic()
    Instance(run).down()
    click.echo(f"Down after {time.monotonic() - started:.1f} s", err=True)


@cli.command()
@run_option
def status(run: str) -> None:
    """Show every process: its state, since when, and where it listens. Exit 1 when one is not running."""
    instance = Instance(run)
    table = Table("process", "state", "pid", "up for", "log", title=str(instance.run))
    states = instance.supervision.states()
    for name, info in sorted(states.items(), key=lambda item: item[1]["start"]):
        running = info["statename"] == "RUNNING"
        age = f"{info['now'] - info['start']} s" if running else ""
        colour = "green" if running else "red"
        log = os.path.relpath(instance.supervision.log_file(name))
        table.add_row(name, f"[{colour}]{info['statename'].lower()}[/]", str(info["pid"] or ""), age, log)
    if not states:
        click.echo("Nothing runs. `make up` starts it.")
        sys.exit(1)
    Console().print(table)
    sys.exit(0 if all(info["statename"] == "RUNNING" for info in states.values()) else 1)


@cli.command()
@run_option
@click.option("--service", default="", help="One process only, e.g. identity.")
def logs(run: str, service: str) -> None:
    """Follow the logs, of one process or of all."""
    folder = Instance(run).supervision.logs
    files = [folder / f"{service}.log"] if service else sorted(folder.glob("*.log"))
    if not files or not files[0].exists():
        names = ", ".join(sorted(Path(file).stem for file in folder.glob("*.log"))) or "none yet"
        click.echo(f"No such log. There are: {names}", err=True)
        sys.exit(1)
    os.execvp("tail", ["tail", "-n", "40", "-F", *map(str, files)])  # noqa: S606


@cli.command()
@run_option
def endpoints(run: str) -> None:
    """Print where each thing listens, as JSON."""
    click.echo(json.dumps(Instance(run).endpoints(), indent=2))


if __name__ == "__main__":
    cli()
