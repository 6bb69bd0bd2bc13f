"""A form that somebody sent, read field by field: every field that is wrong gets its own problem."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from shared.refusals import FieldProblem

Value = TypeVar("Value")


class Wrong(Exception):
    """One field is not as it should be; carries what would be right in Vietnamese and English."""


class Form:
    """A mapping that somebody sent, read field by field; problems gather under dotted names."""

    def __init__(self, raw: object, prefix: str = "", problems: list[FieldProblem] | None = None) -> None:
        self.raw: Mapping[Any, object] = raw if isinstance(raw, Mapping) else {}
        self.prefix = prefix
        self.problems: list[FieldProblem] = [] if problems is None else problems

    def part(self, name: str) -> Form:
        return Form(self.raw.get(name), f"{self.prefix}{name}.", self.problems)

    def has(self, name: str) -> bool:
        """Whether something was sent under this name."""
        return self.raw.get(name) not in (None, "", {})

    def take(self, name: str, rule: Callable[[str], Value], *, optional: bool = False) -> Any:
        """The field as ``rule`` keeps it; a missing optional one is ``None``, a wrong one is noted."""
        value = self.raw.get(name)
        if optional and value in (None, ""):
            return None
        try:
            return rule(value if isinstance(value, str) else "")
        except Wrong as wrong:
            self.problems.append(FieldProblem(f"{self.prefix}{name}", *wrong.args))
            return None


def choice(text: str, allowed: tuple[str, ...]) -> str:
    if text not in allowed:
        raise Wrong("Chọn một trong: " + ", ".join(allowed) + ".", "One of: " + ", ".join(allowed) + ".")
    return text


def closed_up(text: str) -> str:
    return "".join(text.split())


def matches(pattern: str, text: str) -> bool:
    """Whether all of ``text`` is the pattern, in ASCII: other scripts' digits are not digits here."""
    return re.fullmatch(pattern, text, re.ASCII) is not None and text.isascii()
