"""Writes down what an operator did: who, when, to which ids. Never what is in them."""

from __future__ import annotations

import getpass
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from deploy.vssid.where import AuditSettings, load


def operator() -> str:
    """Who is at the keyboard: VSSID_OPERATOR, whoever called sudo, or the user."""
    given = os.environ.get("VSSID_OPERATOR") or os.environ.get("SUDO_USER")
    return given or getpass.getuser()


def note(action: str, **about: object) -> None:
    """Add a line to AUDIT_FILE, on the disk when this returns; to be called before the act itself."""
    file = Path(load(AuditSettings).audit_file)
    line = {"at": datetime.now(UTC).isoformat(), "who": operator(), "action": action, **about}
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as audit:
        audit.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
        audit.flush()
        os.fsync(audit.fileno())
