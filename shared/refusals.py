"""Refusals: errors that a caller may see, told per field and in two languages.

Standard library only, so that every ``domain.py`` may import it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FieldProblem:
    """One field that was refused, with what would be right, in Vietnamese and English.

    ``field`` is dotted as the caller sent it: ``document.number``.
    """

    field: str
    vi: str
    en: str


class Refused(Exception):
    """A refusal that the caller may see. Subclass it once per reason, in the service's domain.

    ``problems`` are the fields at fault; ``details`` are facts the caller may need
    (a limit, a time), never personal data.
    """

    vi: str = "Yêu cầu không được chấp nhận."
    en: str = "The request was refused."

    def __init__(self, *problems: FieldProblem, **details: str | int | bool) -> None:
        super().__init__(self.en)
        self.problems: tuple[FieldProblem, ...] = problems
        self.details: dict[str, str | int | bool] = details


class HeldBack(Refused):
    """Too often, for now: ``{wait}`` in the sentences of a subclass becomes how long to wait, which
    ``retry_after_seconds`` in the details says exactly."""

    def __init__(self, *, retry_after_seconds: int) -> None:
        vi, en = in_words(retry_after_seconds)
        self.vi, self.en = self.vi.format(wait=vi), self.en.format(wait=en)
        super().__init__(retry_after_seconds=retry_after_seconds)


def in_words(seconds: int) -> tuple[str, str]:
    """A wait as people say it, in both languages: rounded up, so that whoever waits so long has waited."""
    for length, vi, en in ((3600, "giờ", "hour"), (60, "phút", "minute")):
        if seconds >= length:
            number = -(-seconds // length)
            return f"{number} {vi}", f"{number} {en}{'s' if number > 1 else ''}"
    return f"{seconds} giây", f"{seconds} second{'s' if seconds > 1 else ''}"
