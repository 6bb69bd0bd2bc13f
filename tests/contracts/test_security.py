"""The page on security: every requirement has a row, and every test it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security.md"
SECTIONS = {"6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4,
            "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2,
            "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1}  # fmt: skip
"""How many requirements of OWASP ASVS 5.0.0 are of level 1 or 2; they are the first of their section."""
ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def rows() -> list[tuple[str, str, str, str]]:
    """Requirement, state, how, shown by."""
    return ROW.findall(PAGE.read_text())


def known_tests() -> set[str]:
    files = [file for top in ("services", "shared", "deploy", "tests") for file in (ROOT / top).rglob("*.py")]
    return {
        node.name
        for file in files
        if file.name.startswith("test_") or file.name.endswith("_contract.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_requirement_of_level_two_has_its_row() -> None:
    wanted = [f"{section}.{n}" for section, count in SECTIONS.items() for n in range(1, count + 1)]
    assert [number for number, *_ in rows()] == wanted


def test_every_test_that_is_named_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text()))
    assert named
    assert named - known_tests() == set()


def test_what_is_met_is_shown_by_a_test_or_is_a_document() -> None:
    unshown = [
        number
        for number, state, _, shown in rows()
        if not state.startswith("does not apply")
        and "`test_" not in shown
        and shown.strip() not in ("– (a document)", "– (nothing to show)")
    ]
    assert unshown == []
