"""``vssid reconcile``: what is missing between the services, and having it done."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from deploy.vssid import audit
from deploy.vssid.broker import Broker, broker
from deploy.vssid.gaps import KINDS, Gap, gaps
from deploy.vssid.mending import mend
from deploy.vssid.show import show
from deploy.vssid.where import Databases, databases
from services.registration.storage import Storage as RegistrationStorage
from shared.messaging.topology import SERVICES

MOST_ROUNDS = 6
"""One gap's closing can show the next: a case that is opened again may end again, and so on."""
WAITING = "SELECT EXISTS (SELECT FROM outbox WHERE created_at <= %(at)s) AS some"
ISSUING = """
SELECT EXISTS (SELECT FROM jobs
               WHERE kind = 'issue_credential' AND failed_at IS NULL AND created_at <= %(at)s) AS some
"""
LOOK_SECONDS = 1.0
CLOCK_SECONDS = 2.0
"""By how much a database's clock may be ahead of ours."""
IN_HAND_SECONDS = 3.0
"""How long a listener may have in hand what it has taken from its queue."""


@click.command()
@click.option("--mend", "mends", is_flag=True, help="Have done what is missing.")
@click.option(
    "--settle", default=60, show_default=True, help="Leave out what is younger than so many seconds."
)
@click.option("--wait", default=120, show_default=True, help="How long to wait for events on their way.")
@click.option("--json", "as_json", is_flag=True, help="Each gap and the summary as JSON lines.")
def reconcile(mends: bool, settle: int, wait: int, as_json: bool) -> None:
    """What is missing: submitted ⇒ case, verified ⇒ credential, issued ⇒ message, and what follows from them.

    After a restore of a database, or at any time. Exit 0 when nothing is missing, 1 when something is, 2 when
    --mend has to wait for events that are still on their way. Once no application is to be taken back,
    registration looks again for photos that nobody knows, which it does not between a restore and then.
    """
    with databases() as ours:
        at_broker = broker()
        if mends and not _has_arrived(ours, at_broker, _now() - timedelta(seconds=settle), wait):
            raise click.UsageError(
                "events are still on their way (`vssid outbox`, `vssid queues`): mend what keeps them first"
            )
        left = _round(1, ours, settle, mends, as_json)
        while mends and left["mended"] and left["round"] < MOST_ROUNDS:
            if not _has_arrived(ours, at_broker, _now() + timedelta(seconds=CLOCK_SECONDS), wait):
                raise click.UsageError("what was told again is still on its way; call again later")
            left = _round(left["round"] + 1, ours, settle, mends, as_json)
        if are_photos_known(left):
            with ours.transaction("registration") as tx:
                RegistrationStorage(tx).release_orphans()
    _report(left, mends, as_json)
    raise SystemExit(1 if _is_missing(left) else 0)


def _is_missing(left: dict[str, Any]) -> bool:
    return any(KINDS[name].is_gap for name in left["found"])


def are_photos_known(left: dict[str, Any]) -> bool:
    """Whether registration has every application whose photos are kept. What else is missing concerns no
    photo, and may stay until people have decided."""
    return "application_missing" not in left["found"]


def _round(number: int, ours: Databases, settle: int, mends: bool, as_json: bool) -> dict[str, Any]:
    """Look once, mending on the way. Only counts are kept, and a few ids of each kind."""
    found: Counter[str] = Counter()
    mended: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}
    until = _now() - timedelta(seconds=settle)
    for gap in gaps(ours, until):
        name = gap.kind.name
        found[name] += 1
        if len(examples.setdefault(name, [])) < 3:
            examples[name].append(str(gap.belongs_to))
        done = mends and gap.kind.is_gap and _mend(ours, gap)
        mended[name] += int(done)
        if as_json:
            line = {
                "round": number,
                "gap": name,
                "key": gap.key,
                "belongs_to": gap.belongs_to,
                "mended": done,
            }
            click.echo(json.dumps(line, default=str))
    return {
        "round": number,
        "until": until.isoformat(timespec="seconds"),
        "found": dict(found),
        "mended": dict(+mended),
        "examples": examples,
    }


def _mend(ours: Databases, gap: Gap) -> bool:
    if not gap.kind.mended:
        return False
    with audit.act("mended", gap=gap.kind.name, key=gap.key) as act:
        act.outcome["mended"] = done = mend(ours, gap)
    return done


def _has_arrived(ours: Databases, at_broker: Broker, at: datetime, wait: int) -> bool:
    """Wait until whatever was on its way between the services at that time has arrived, whatever has come
    since; False when it lasts too long."""
    end = time.monotonic() + wait
    while _leaves_or_is_made(ours, at) or at_broker.holds_events_of(at):
        if time.monotonic() > end:
            return False
        time.sleep(LOOK_SECONDS)
    time.sleep(IN_HAND_SECONDS)
    return True


def _leaves_or_is_made(ours: Databases, at: datetime) -> bool:
    """Whether an event of that time is in an outbox, or a password has yet to be made."""
    for service in SERVICES:
        with ours.transaction(service) as tx:
            for statement in (WAITING, ISSUING):
                row = tx.one(statement, {"at": at})
                if row is not None and row["some"]:
                    return True
    return False


def _now() -> datetime:
    return datetime.now(UTC)


def _report(left: dict[str, Any], mends: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({name: left[name] for name in ("round", "until", "found")}))
        return
    rows = [
        {
            "gap": name,
            "count": count,
            "meaning": KINDS[name].means,
            "what to do": _what_to_do(name, mends),
            "for example": "\n".join(left["examples"][name]),
        }
        for name, count in left["found"].items()
    ]
    show(rows, nothing="Nothing is missing.")
    click.echo(
        f"Looked at what is from before {left['until']}; what is younger may be on its way (--settle)."
    )


def _what_to_do(name: str, mends: bool) -> str:
    kind = KINDS[name]
    if not kind.is_gap:
        return "nothing"
    if kind.mended and not mends:
        return f"--mend: {kind.mended}"
    return kind.people or "call again; if it stays, look at dead letters and jobs"
