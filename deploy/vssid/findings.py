"""What the doctor finds: well, worth knowing, wrong, or not looked at, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """``state`` is ``well``, ``note``, ``wrong`` or ``skipped``."""

    state: str
    what: str
    found: str
    to_do: str = ""


def well(what: str, found: str) -> Finding:
    return Finding("well", what, found)


def note(what: str, found: str, to_do: str) -> Finding:
    return Finding("note", what, found, to_do)


def wrong(what: str, found: str, to_do: str) -> Finding:
    return Finding("wrong", what, found, to_do)


def not_looked_at(what: str, because: str, to_do: str) -> Finding:
    """Nobody knows how it is: said, so that silence is never taken for well."""
    return Finding("skipped", what, f"not looked at, because {because}", to_do)


def clock(what: str, ahead_seconds: float, allowed_seconds: float) -> Finding:
    """The clock of a server against this machine's."""
    found = f"{ahead_seconds:+.1f} s against this machine"
    if abs(ahead_seconds) <= allowed_seconds:
        return well(what, found)
    return wrong(what, found, "synchronise the clocks (NTP): tokens and leases allow for 5 s")
