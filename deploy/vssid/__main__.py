"""The command line of the operator: ``bin/vssid``, or ``python -m deploy.vssid``."""

from __future__ import annotations

import os

import amqp
import click
import httpx
import psycopg

from deploy.vssid.accounts import accounts
from deploy.vssid.backup import after_restore, backup, restore
from deploy.vssid.borrowed import borrowed
from deploy.vssid.doctor import doctor
from deploy.vssid.hotline_clients import hotline_clients
from deploy.vssid.keys import keys
from deploy.vssid.letters import letters
from deploy.vssid.photos import photos
from deploy.vssid.queues import outbox, queues
from deploy.vssid.reconcile import reconcile
from deploy.vssid.staff import staff
from deploy.vssid.trail import trail
from deploy.vssid.work import jobs
from services.history import import_file
from services.registration import places

UNREACHABLE = (httpx.HTTPError, amqp.AMQPError, psycopg.OperationalError, OSError)


class Vssid(click.Group):
    """Says in a sentence what could not be reached."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except UNREACHABLE as away:
            if isinstance(away, OSError) and away.filename is not None:
                raise click.ClickException(f"{away.filename}: {away.strerror}") from None
            raise click.ClickException(
                f"something does not answer ({type(away).__name__}); `vssid doctor` says what"
            ) from None


@click.group(cls=Vssid)
@click.option("--run", help="Folder of a native installation; by default RUN, else the environment says all.")
def vssid(run: str | None) -> None:
    """Look after an installation: what is on its way, what failed, what is missing, what is wrong."""
    if run:
        os.environ["RUN"] = run


@vssid.group()
def agencies() -> None:
    """The agencies that citizens choose from."""


@vssid.group()
def records() -> None:
    """What citizens look up."""


agencies.add_command(borrowed(places.load, "registration", "agencies_imported"), "import")
records.add_command(borrowed(import_file.main, "history", "records_imported"), "import")
for command in (
    queues,
    outbox,
    letters,
    jobs,
    staff,
    accounts,
    hotline_clients,
    keys,
    reconcile,
    doctor,
    backup,
    restore,
    after_restore,
    photos,
    trail,
):
    vssid.add_command(command)

if __name__ == "__main__":
    vssid(prog_name="vssid")
