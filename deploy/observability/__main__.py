"""Watch a native installation: ``python -m deploy.observability --run .run``, until it is stopped."""

import os
from pathlib import Path

import click

from deploy.native.instance import Instance
from deploy.observability import native


@click.command()
@click.option("--run", default=".run", show_default=True, help="Folder of the installation.")
@click.option("--port", default=9090, show_default=True, help="Port on loopback where Prometheus answers.")
def main(run: str, port: int) -> None:
    """Become a Prometheus that scrapes the installation; its data lies in the folder of that."""
    layout = Instance(run).layout
    command = native.command(layout.run / "prometheus", native.configuration(layout), port)
    click.echo(f"Prometheus: http://127.0.0.1:{port}/alerts", err=True)
    os.chdir(Path("/"))
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
