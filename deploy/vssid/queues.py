"""``vssid queues``, ``outbox``: what is on its way."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from deploy.vssid.broker import broker, time_of_first
from deploy.vssid.show import show, span
from deploy.vssid.where import databases
from shared.messaging.topology import SERVICES

WAITING = """
SELECT type, count(*) AS events, extract(epoch FROM now() - min(created_at))::float AS oldest_seconds
FROM outbox GROUP BY type ORDER BY type
"""


@click.command()
@click.option(
    "--ages", is_flag=True, help="Also how old the first event of each is; takes it and puts it back."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON lines.")
def queues(ages: bool, as_json: bool) -> None:
    """Every queue: depth, consumers, age. Exit 1 when a listener's queue has no consumer."""
    ours = broker()
    rows = []
    for depth in ours.depths():
        first = time_of_first(ours.url, depth.name) if ages and depth.ready and depth.is_heard else None
        age = (datetime.now(UTC) - first).total_seconds() if first else None
        rows.append(
            {
                "queue": depth.name,
                "messages": depth.messages,
                "consumers": depth.consumers,
                "oldest": age if as_json else span(age),
            }
        )
    show(rows, as_json)
    unheard = [row for row in rows if not row["consumers"] and _is_consumed(str(row["queue"]))]
    raise SystemExit(1 if unheard else 0)


def _is_consumed(queue: str) -> bool:
    """Whether somebody has to take from it: neither to a wait queue nor to dead letters."""
    return not queue.startswith("vssid.wait.") and not queue.endswith(".dead")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON lines.")
def outbox(as_json: bool) -> None:
    """Events that are committed and not yet confirmed by the broker: a few seconds old at the most."""
    rows = []
    with databases() as ours:
        for service in SERVICES:
            with ours.transaction(service) as tx:
                for row in tx.all(WAITING):
                    oldest = row["oldest_seconds"]
                    rows.append(
                        {
                            "service": service,
                            "event": row["type"],
                            "waiting": row["events"],
                            "oldest": oldest if as_json else span(oldest),
                        }
                    )
    show(rows, as_json, nothing="Every outbox is empty.")
