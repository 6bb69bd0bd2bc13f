"""Refusals: errors that a caller may see, told per field and in two languages.

Standard library only, so that every ``domain.py`` may import it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


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

    vi: ClassVar[str] = "Yêu cầu không được chấp nhận."
    en: ClassVar[str] = "The request was refused."

    def __init__(self, *problems: FieldProblem, **details: str | int | bool) -> None:
        super().__init__(self.en)
        self.problems: tuple[FieldProblem, ...] = problems
        self.details: dict[str, str | int | bool] = details
