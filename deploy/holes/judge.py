"""Judges what pip-audit answered by the explanations that the site keeps."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

CLEAN, HOLES, WRONG_CALL, COULD_NOT_ASK = 0, 1, 2, 3
"""Exit codes. Not to know is not to be clean."""


class ExplanationsWrong(Exception):
    """The file of explanations is not as it should be; says where, and what would be right."""


class AnswerUnreadable(Exception):
    """What pip-audit printed is no answer."""


@dataclass(frozen=True)
class Explanation:
    """Why a known hole does no harm here, and the day from which on that has to be looked at again."""

    id: str
    package: str
    why: str
    until: date


@dataclass(frozen=True)
class Hole:
    """``ids`` are all names of one hole: PYSEC, CVE, GHSA."""

    package: str
    version: str
    ids: frozenset[str]
    fixed_in: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """``not_asked`` maps packages that nobody could tell about to the reason."""

    unexplained: tuple[Hole, ...]
    explained: tuple[tuple[Hole, Explanation], ...]
    not_asked: Mapping[str, str]
    obsolete: tuple[Explanation, ...]
    """Explanations of holes that are closed, or known to nobody."""

    @property
    def exit_code(self) -> int:
        """A hole that is known counts more than what could not be asked."""
        if self.unexplained:
            return HOLES
        return COULD_NOT_ASK if self.not_asked else CLEAN


def explanations_in(text: str) -> list[Explanation]:
    """The tables ``[[hole]]`` of a TOML file. Raises ``ExplanationsWrong``."""
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ExplanationsWrong(f"is no TOML: {error}") from None
    holes = told.pop("hole", [])
    if told or not isinstance(holes, list):
        raise ExplanationsWrong("holds tables [[hole]] alone")
    return [_explanation(number, hole) for number, hole in enumerate(holes, 1)]


def _explanation(number: int, hole: Any) -> Explanation:
    names = {field.name for field in fields(Explanation)}
    if not isinstance(hole, dict) or set(hole) != names:
        raise ExplanationsWrong(f"hole {number}: has id, package, why and until, each once")
    if type(hole["until"]) is not date:
        raise ExplanationsWrong(f"hole {number}: until: a day without quotes, as 2026-12-31")
    for name in ("id", "package", "why"):
        if not isinstance(hole[name], str) or not hole[name].strip():
            raise ExplanationsWrong(f"hole {number}: {name}: a text that is not empty")
    return Explanation(**hole)


def judged(answer: str, explanations: Sequence[Explanation], today: date) -> Verdict:
    """What ``pip-audit --format json`` printed. Raises ``AnswerUnreadable``."""
    try:
        dependencies = json.loads(answer)["dependencies"]
        if not dependencies:
            raise AnswerUnreadable  # a service without dependencies is a wrong question
        not_asked = {d["name"]: d["skip_reason"] for d in dependencies if "skip_reason" in d}
        holes = [hole for d in dependencies if "skip_reason" not in d for hole in _holes(d)]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise AnswerUnreadable from None
    explained, unexplained = [], []
    for hole in holes:
        why = next((e for e in explanations if _explains(e, hole) and today < e.until), None)
        if why is None:
            unexplained.append(hole)
        else:
            explained.append((hole, why))
    asked = [why for why in explanations if why.package not in not_asked]
    obsolete = [why for why in asked if not any(_explains(why, hole) for hole in holes)]
    return Verdict(tuple(unexplained), tuple(explained), not_asked, tuple(obsolete))


def _holes(dependency: Mapping[str, Any]) -> Iterator[Hole]:
    for hole in dependency["vulns"]:
        yield Hole(
            dependency["name"],
            dependency["version"],
            frozenset([hole["id"], *hole.get("aliases", ())]),
            tuple(hole.get("fix_versions", ())),
        )


def _explains(explanation: Explanation, hole: Hole) -> bool:
    return explanation.package == hole.package and explanation.id in hole.ids
