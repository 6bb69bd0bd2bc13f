"""``vssid dead-letters``: what listeners could not take."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from deploy.vssid import audit
from deploy.vssid.show import show
from deploy.vssid.where import BrokerSettings, load
from shared.messaging import dead_letters, topology


def _listeners() -> list[str]:
    return [queue.listener for queue in topology.queues() if queue.listener]


def _known(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value not in _listeners():
        raise click.BadParameter(f"one of {', '.join(_listeners())}")
    return value


listener_argument = click.argument("listener", callback=_known)


@click.group("dead-letters")
def letters() -> None:
    """What listeners could not take: look, put back, drop."""


@letters.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON lines.")
def list_letters(as_json: bool) -> None:
    """How many dead letters each listener has. Exit 1 when there are any."""
    counts = dead_letters.counts(load(BrokerSettings).amqp_url, _listeners())
    found = [{"listener": name, "dead letters": count} for name, count in counts.items() if count]
    show(found, as_json, nothing="No dead letters.")
    raise SystemExit(1 if found else 0)


@letters.command("show")
@listener_argument
@click.option("--limit", default=100, show_default=True, help="How many at the most.")
def show_letters(listener: str, limit: int) -> None:
    """Reason, attempts and error id of each, as JSON lines; never the body."""
    for letter in dead_letters.show(load(BrokerSettings).amqp_url, listener, limit):
        click.echo(json.dumps(letter))


@letters.command()
@listener_argument
@click.option("--limit", default=10_000, show_default=True, help="How many at the most.")
def replay(listener: str, limit: int) -> None:
    """Put them back into the listener's queue; harmless twice: the inbox drops what had its effect."""
    url = load(BrokerSettings).amqp_url
    with audit.act("dead_letters_replayed", listener=listener) as act, _counted(act) as gone:
        dead_letters.replay(url, listener, limit, gone)
    click.echo(f"{act.outcome['count']} put back into {listener}")


@letters.command()
@listener_argument
@click.option("--event", "event_ids", multiple=True, help="Only this event id; may be given more than once.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop(listener: str, event_ids: tuple[str, ...], yes: bool) -> None:
    """Throw them away for good: what they tell will never have its effect. Asks first, writes down each."""
    url = load(BrokerSettings).amqp_url
    many = len(event_ids) or dead_letters.counts(url, [listener])[listener]
    if not yes:
        click.confirm(f"Drop {many} dead letters of {listener} for good?", abort=True)

    with audit.act("dead_letters_dropped", listener=listener) as act, _counted(act) as gone:

        def about_to_drop(letter: dict[str, Any]) -> None:
            act.note("about to", event_id=letter["event_id"], type=letter["type"])
            gone(letter)

        dead_letters.drop(url, listener, about_to_drop, set(event_ids))
    click.echo(f"{act.outcome['count']} dropped from {listener}")


@contextmanager
def _counted(act: audit.Act) -> Iterator[Callable[[dict[str, Any]], None]]:
    """What hears of each letter that is gone; how many they were, and which, is the act's outcome."""
    ids: list[str | None] = []
    try:
        yield lambda letter: ids.append(letter["event_id"])
    finally:
        act.outcome.update(count=len(ids), event_ids=ids)
