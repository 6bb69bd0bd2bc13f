"""The rows of ``docs/promises.md``, and its last column, which names the tests that prove each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROW = re.compile(r"^\| ([GF]\d+) \| (.+) \| ([^|]*) \|$", re.MULTILINE)
LATER = "later"
"""What stands in the last column of a row that no test proves yet."""


@dataclass(frozen=True)
class Row:
    """One promise. ``stands`` is the last column, as it is in the document."""

    id: str
    promise: str
    stands: str

    @property
    def needs_a_twin(self) -> bool:
        """A proof about faults or attacks counts only beside a test that plants a defect."""
        return self.id.startswith("F")


def rows(document: Path) -> dict[str, Row]:
    """All rows by id, in their order. Raises ``ValueError`` when one stands twice."""
    found = [Row(*match.groups()) for match in ROW.finditer(document.read_text())]
    by_id = {row.id: row for row in found}
    if len(by_id) < len(found):
        raise ValueError("a row stands twice in the document")
    return by_id


def column(files: Sequence[str]) -> str:
    """The last column for these test files."""
    return "<br>".join(f"`{file}`" for file in sorted(set(files))) or LATER


def write(document: Path, files: Mapping[str, Sequence[str]]) -> None:
    """Put the test files of each row into the last column."""

    def line(match: re.Match[str]) -> str:
        return f"| {match[1]} | {match[2]} | {column(files.get(match[1], ()))} |"

    document.write_text(ROW.sub(line, document.read_text()))
