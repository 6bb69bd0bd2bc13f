"""Commands of the services themselves, told where the service's database is."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from deploy.vssid import audit
from deploy.vssid.where import DatabaseSettings, load


def borrowed(
    command: click.Command,
    service: str,
    action: str,
    check: Callable[[dict[str, Any]], None] = lambda _options: None,
) -> click.Command:
    """``command``, with ``DATABASE_URL`` as the one of ``service``; the audit says ``action``. ``check`` gets
    the options before, and raises ``click.ClickException`` where they cannot be."""
    callback = command.callback
    assert callback is not None

    def run(**options: Any) -> None:
        os.environ.pop("DATABASE_URL_FILE", None)
        os.environ["DATABASE_URL"] = load(DatabaseSettings).of(service)
        check(options)
        about = {name: options[name] for name in ("user", "agency", "client", "kind") if name in options}
        with audit.act(action, **about):
            callback(**options)

    return click.Command(command.name, params=command.params, help=command.help, callback=run)
