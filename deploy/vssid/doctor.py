"""``vssid doctor``: looks at everything an installation depends on, and says what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import amqp
import click
import httpx
import psycopg

from deploy.vssid.checks_of_broker import broker_checks
from deploy.vssid.checks_of_databases import database_checks
from deploy.vssid.checks_of_keys import key_checks
from deploy.vssid.checks_of_outside import outside_checks
from deploy.vssid.checks_of_processes import process_checks
from deploy.vssid.findings import Finding, wrong
from deploy.vssid.show import show

CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "broker": broker_checks,
    "databases": database_checks,
    "processes": process_checks,
    "outside": outside_checks,
    "keys": key_checks,
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON lines.")
def doctor(as_json: bool) -> None:
    """Every dependency, permission, schema, clock, the connection budget, keys. Exit 1 when one is wrong.

    What could not be looked at from here is told as skipped, with the reason.
    """
    found = [finding for name in CHECKS for finding in _of(name)]
    state = "state" if as_json else ""
    rows = [
        {state: finding.state, "what": finding.what, "found": finding.found, "what to do": finding.to_do}
        for finding in found
    ]
    show(rows, as_json)
    raise SystemExit(1 if any(finding.state == "wrong" for finding in found) else 0)


def _of(name: str) -> Iterator[Finding]:
    """The findings of one part; that it cannot be asked is one."""
    try:
        yield from CHECKS[name]()
    except (httpx.HTTPError, amqp.AMQPError, psycopg.Error, OSError) as error:
        to_do = "bring it up; are its address, user and password right?"
        yield wrong(name, f"no answer: {type(error).__name__}", to_do)
