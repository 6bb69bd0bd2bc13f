"""``vssid hotline-clients``: which voice platforms may have passwords reissued, by which keys."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from deploy.vssid import audit
from deploy.vssid.borrowed import borrowed
from deploy.vssid.show import show
from deploy.vssid.where import databases
from services.identity import hotline_clients as add
from services.identity.storage import Storage


@click.group("hotline-clients")
def hotline_clients() -> None:
    """Keys of voice platforms: add, list, disable."""


hotline_clients.add_command(borrowed(add.main, "identity", "hotline_key_added"), "add")


@hotline_clients.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON lines.")
def list_keys(as_json: bool) -> None:
    """Every key there ever was, by platform."""
    with databases("identity") as ours, ours.transaction("identity") as tx:
        found = Storage(tx).hotline_keys()
    rows = [
        {"client": key.client, "keyid": key.id, "added_at": key.added_at, "disabled_at": key.disabled_at}
        for key in found
    ]
    show(rows, as_json, nothing="No voice platform is registered.")


@hotline_clients.command()
@click.argument("keyid")
def disable(keyid: str) -> None:
    """Requests signed with KEYID are refused from now on."""
    with audit.act("hotline_key_disabled", key=keyid):
        with databases("identity") as ours, ours.transaction("identity") as tx:
            known = Storage(tx).disable_hotline_key(keyid, datetime.now(UTC))
        if not known:
            raise click.ClickException(f"there is no key {keyid}: see vssid hotline-clients list")
    click.echo(f"{keyid} is disabled")
