"""What a site sets otherwise than it is by default: ``RUN/settings.env``, a line ``NAME=value`` each."""

import importlib
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from deploy.native.keys import PROCESSES, write_private
from deploy.native.machine import NotReady
from shared.settings import Setting, describe

FILE = "settings.env"
WORD = (
    "# What this site sets, a line NAME=value each of docs/settings.md; it counts from `make restart` on.\n"
)


@cache
def names(process: str) -> frozenset[str]:
    """The settings that a process reads."""
    return frozenset(row.variable for row in _table(process))


def settings(run: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the site sets. What stands in the environment overrides the file, for that call alone.

    Raises NotReady naming what in the file is no setting.
    """
    return {**_kept(run), **_of_the_environment(environ)}


def keep(run: Path, environ: Mapping[str, str] = os.environ) -> None:
    """Put what the environment sets into the file: no later restart, whoever does it, undoes it.

    An empty value takes a line out. Raises NotReady as ``settings`` does.
    """
    changes = _of_the_environment(environ)
    if not changes:
        return
    _kept(run)
    run.mkdir(parents=True, exist_ok=True)
    file = run / FILE
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True) if file.exists() else [WORD]
    stay = [line if line.endswith("\n") else f"{line}\n" for line in lines if _name(line) not in changes]
    write_private(file, "".join([*stay, *(f"{n}={value}\n" for n, value in changes.items() if value)]))


def check(file: Path) -> None:
    """Raises NotReady naming what in ``file`` is no setting."""
    known = frozenset[str]().union(*map(names, PROCESSES))
    if unknown := [line for line in _lines(file) if "=" not in line or _name(line) not in known]:
        what = ", ".join(_name(line) for line in unknown)
        raise NotReady(f"{file}: not a setting: {what}\nNext: a line NAME=value each, of docs/settings.md")


def put_back(run: Path, file: Path) -> bool:
    """Have the site set what ``file``, a copy of its own, says, if it sets nothing now; whether it does."""
    if (run / FILE).exists():
        return False
    write_private(run / FILE, file.read_text(encoding="utf-8"))
    return True


def differing(run: Path, file: Path) -> list[str]:
    """Names of what the site sets otherwise now than ``file``, a copy of its own, says."""
    now, then = _values(run / FILE), _values(file)
    return sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))


def _kept(run: Path) -> dict[str, str]:
    check(run / FILE)
    return _values(run / FILE)


def _values(file: Path) -> dict[str, str]:
    return {_name(line): line.partition("=")[2].strip() for line in _lines(file)}


def _lines(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _of_the_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Only what has a default: what every process must be told, the installation tells."""
    chosen = {row.variable for process in PROCESSES for row in _table(process) if not row.required}
    return {name: environ[name] for name in sorted(chosen) if name in environ}


def _name(line: str) -> str:
    return line.partition("=")[0].strip()


@cache
def _table(process: str) -> list[Setting]:
    return describe(importlib.import_module(f"services.{process}.settings").Settings)
