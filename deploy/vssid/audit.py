"""Writes down what an operator did: who, when, to which ids. Never what is in them."""

from __future__ import annotations

import getpass
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from deploy.vssid.where import AuditSettings, load


def operator() -> str:
    """Who is at the keyboard: VSSID_OPERATOR, whoever called sudo, or the user."""
    given = os.environ.get("VSSID_OPERATOR") or os.environ.get("SUDO_USER")
    return given or getpass.getuser()


class Act:
    """What is being done. ``outcome`` goes into its last line, however it ends."""

    def __init__(self, action: str, about: dict[str, object]) -> None:
        self.outcome: dict[str, object] = {}
        self._said: dict[str, object] = {"action": action, "act": uuid.uuid4().hex[:12], **about}

    def note(self, state: str, **about: object) -> None:
        """Add a line; it is on the disk when this returns."""
        _write({**self._said, "state": state, **about})


@contextmanager
def act(action: str, **about: object) -> Iterator[Act]:
    """Around what an operator does: a line ``begun`` before it, and after it ``done`` or, with the error's
    name, ``failed``. One that only ``begun`` was cut short; nobody knows how far it came."""
    under_way = Act(action, about)
    under_way.note("begun")
    try:
        yield under_way
    except BaseException as error:
        under_way.note("failed", **under_way.outcome, error=type(error).__name__)
        raise
    under_way.note("done", **under_way.outcome)


def _write(said: dict[str, object]) -> None:
    file = Path(load(AuditSettings).audit_file)
    line = {"at": datetime.now(UTC).isoformat(), "who": operator(), **said}
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as audit:
        audit.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
        audit.flush()
        os.fsync(audit.fileno())
