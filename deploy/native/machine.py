"""Knows where this machine keeps the servers' programs."""

import os
from pathlib import Path

# The one in /usr/sbin is Debian's: it switches to the user and the folder of the system-wide broker.
RABBITMQ_SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"


class NotReady(Exception):
    """Something did not come up. The text names it, says why as far as known, and what to do next."""


def postgres_bin() -> Path:
    """The folder with the newest PostgreSQL of this machine."""
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda file: float(file.parts[-3])
    )
    if not versions:
        raise NotReady("PostgreSQL is not installed; run `make setup`, which installs it")
    return versions[-1].parent


def is_root() -> bool:
    return os.geteuid() == 0
