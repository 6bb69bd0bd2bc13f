"""A machine with few commands, and with some that only pretend: for tests of shell scripts."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path


def few_commands(folder: Path, names: Iterable[str]) -> Path:
    """Make ``folder`` with this machine's commands of these names; a PATH of it alone has no others."""
    folder.mkdir()
    for name in names:
        found = shutil.which(name)
        assert found is not None, f"{name} is not on this machine"
        (folder / name).symlink_to(found)
    return folder


def pretend(folder: Path, name: str, script: str) -> None:
    """Have a command of this name in ``folder`` that runs ``script``."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
