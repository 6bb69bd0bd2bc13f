"""``vssid staff``: who may work at a desk."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from deploy.vssid import audit
from deploy.vssid.borrowed import borrowed
from deploy.vssid.show import show
from deploy.vssid.where import databases
from services.identity import add_staff, totp, use_cases
from services.identity.storage import Storage
from services.registration.storage import Storage as RegistrationStorage


@click.group()
def staff() -> None:
    """Members of staff: add, list, disable, reset-totp."""


def _has_its_agency(options: dict[str, Any]) -> None:
    """Agencies are registration's; identity takes any code, and nobody would see a case."""
    code = options["agency"]
    with databases("registration") as ours, ours.transaction("registration") as tx:
        if RegistrationStorage(tx).agency(code) is None:
            raise click.ClickException(
                f"there is no agency {code}: see GET /v1/agencies, or vssid agencies import"
            )


staff.add_command(borrowed(add_staff.main, "identity", "staff_added", _has_its_agency), "add")


@staff.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON lines.")
def list_staff(as_json: bool) -> None:
    """Every member of staff there ever was, by agency: who is active, and who has set an app up."""
    with databases("identity") as ours, ours.transaction("identity") as tx:
        found = Storage(tx).all_staff()
    rows = [
        {
            "user": member.user,
            "name": member.name,
            "agency": member.agency_code,
            "state": "active" if member.is_active else "disabled",
            "app": "set up" if member.has_app else None,
            "added_at": member.added_at,
        }
        for member in found
    ]
    show(rows, as_json, nothing="No member of staff was added.")


@staff.command()
@click.argument("user")
def disable(user: str) -> None:
    """USER logs in no more, every session ends at once. What was done stays in the audit trail."""
    with audit.act("staff_disabled", user=user):
        with databases("identity") as ours, ours.transaction("identity") as tx:
            storage = Storage(tx)
            was_active = storage.staff_named(user) is not None
            known = use_cases.disable_staff(storage, user, by=audit.operator(), now=datetime.now(UTC))
        if not known:
            raise click.ClickException(f"nobody has the user name {user}")
    said = (
        "is disabled; every session has ended" if was_active else "was disabled before; no session was open"
    )
    click.echo(f"{user} {said}")


@staff.command("reset-totp")
@click.argument("user")
def reset_totp(user: str) -> None:
    """USER, who lost the phone or has set up none, sets up an authenticator app with the code printed.
    Every session ends."""
    code, at = totp.new_enrolment_code(), datetime.now(UTC)
    with audit.act("staff_totp_reset", user=user):
        with databases("identity") as ours, ours.transaction("identity") as tx:
            known = use_cases.reset_totp(Storage(tx), user, code, by=audit.operator(), now=at)
        if not known:
            raise click.ClickException(f"nobody has the user name {user}, or the account is disabled")
    click.echo(f"{user} sets up an authenticator app at the next log-in; every session has ended")
    click.echo(f"code for setting up an authenticator app, shown this once, good for 72 hours: {code}")
