"""Commands of the services themselves, told where the service's database is."""

from __future__ import annotations

import os
from typing import Any

import click

from deploy.vssid import audit
from deploy.vssid.where import DatabaseSettings, load


def borrowed(command: click.Command, service: str, action: str) -> click.Command:
    """``command``, with ``DATABASE_URL`` as the one of ``service``; a line of the audit says ``action``."""
    callback = command.callback
    assert callback is not None

    def run(**options: Any) -> None:
        os.environ.pop("DATABASE_URL_FILE", None)
        os.environ["DATABASE_URL"] = load(DatabaseSettings).of(service)
        audit.note(action, **{name: options[name] for name in ("user", "agency") if name in options})
        callback(**options)

    return click.Command(command.name, params=command.params, help=command.help, callback=run)
