"""``vssid accounts``: what an operator may do for a citizen's account."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from deploy.vssid import audit
from deploy.vssid.where import databases
from services.identity import use_cases
from services.identity.storage import Storage


@click.group()
def accounts() -> None:
    """Citizens' accounts: log out everywhere."""


@accounts.command("log-out")
@click.option("--user", prompt="BHXH code or personal number", help="Asked for when it is not given.")
def log_out(user: str) -> None:
    """Every session of an account ends, on every device, and the devices are forgotten: for a citizen who
    says that somebody else is in there. Every service refuses within 5 s; the password stays."""
    with (
        audit.act("account_logged_out") as act,
        databases("identity") as ours,
        ours.transaction("identity") as tx,
    ):
        storage = Storage(tx)
        found = use_cases.find_account(storage, "".join(user.split()))  # as log-in reads it
        if found is None:
            raise click.ClickException("no account has this code or number")
        act.outcome["account"] = found.account.id
        use_cases.end_everywhere(storage, found.account.id, datetime.now(UTC))
    click.echo("logged out everywhere; the password is as it was")
