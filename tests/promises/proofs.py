"""Collects the tests that carry ``proves`` and ``planted``, and runs those of chosen rows.

One pytest run does both: a plugin looks at what was collected, keeps what was asked for, and watches how it
ends. A test counts as passed only when it ran and passed: skipped, expected to fail or not run is a failure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from tests.promises.document import Row

KINDS = ("proves", "planted")


@dataclass
class Proofs:
    """Row id → node ids of the tests that prove it, and of the twins that plant a defect."""

    proves: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    planted: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    faults: list[str] = field(default_factory=list)
    """Marks that cannot be right."""

    def files(self) -> dict[str, list[str]]:
        """Row id → the test files that prove it."""
        return {row: [node.split("::")[0] for node in nodes] for row, nodes in self.proves.items()}

    def missing(self, chosen: Sequence[str], rows: dict[str, Row]) -> list[str]:
        """Why these rows cannot be proven, a sentence each."""
        said = [f"{row} is no row of the document" for row in chosen if row not in rows]
        said += [f"{row} has no test" for row in chosen if row in rows and not self.proves.get(row)]
        return said + [
            f"{row} has no twin that plants a defect"
            for row in chosen
            if row in rows and rows[row].needs_a_twin and not self.planted.get(row)
        ]


class Plugin:
    """What pytest tells us. With ``chosen`` only the tests of these rows run, if all of them can be proven.

    ``uncollected`` are files that cannot be imported: nobody knows what they prove."""

    def __init__(self, rows: dict[str, Row], chosen: Sequence[str]) -> None:
        self.proofs = Proofs()
        self.refused: list[str] = []
        self.uncollected: list[str] = []
        self.to_run: list[str] = []
        self.endings: dict[str, str] = {}
        self._rows = rows
        self._chosen = chosen

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        for kind in KINDS:
            config.addinivalue_line("markers", f"{kind}(row): see docs/promises.md")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.uncollected.append(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        kept = []
        for item in items:
            marked = {kind: rows_of(item, kind) for kind in KINDS}
            self._note(item.nodeid, marked)
            if set(self._chosen) & {row for found in marked.values() for row in found}:
                kept.append(item)
        self.refused = self.proofs.missing(self._chosen, self._rows)
        items[:] = [] if self.refused else kept
        self.to_run = [item.nodeid for item in items]

    def _note(self, node: str, marked: dict[str, list[str]]) -> None:
        for kind, rows in marked.items():
            for row in rows:
                getattr(self.proofs, kind)[row].append(node)
                if row not in self._rows:
                    self.proofs.faults.append(f"{node}: {row} is no row of the document")
        if marked["proves"] and marked["planted"]:
            self.proofs.faults.append(f"{node}: a test proves, or plants a defect, not both")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed and not hasattr(report, "wasxfail"):
            self.endings.setdefault(report.nodeid, "passed")
        elif not report.passed or hasattr(report, "wasxfail"):
            self.endings[report.nodeid] = (
                "expected to fail" if hasattr(report, "wasxfail") else report.outcome
            )


def rows_of(item: pytest.Item, kind: str) -> list[str]:
    """The rows in the marks of one kind: ``@pytest.mark.proves("G6")``."""
    return [row for mark in item.iter_markers(kind) for row in mark.args]


class CollectionFailed(Exception):
    """Some test file cannot be imported, so nobody knows what it proves."""


def collect(rows: dict[str, Row], paths: Sequence[str]) -> Proofs:
    """What the tests under ``paths`` prove. Raises ``CollectionFailed``; pytest has said why."""
    plugin = Plugin(rows, ())
    quiet = ["--collect-only", "--assert=plain", "-qq", "--no-header", "--no-summary"]
    code = pytest.main([*quiet, *paths], plugins=[plugin])
    if plugin.uncollected or code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise CollectionFailed
    return plugin.proofs


def prove(chosen: Sequence[str], rows: dict[str, Row], paths: Sequence[str]) -> list[str]:
    """Run the tests and twins of the chosen rows; returns what is wrong, a sentence each, or nothing.
    Raises ``CollectionFailed``."""
    plugin = Plugin(rows, chosen)
    code = pytest.main(["-v", "--no-header", "-rfEs", *paths], plugins=[plugin])
    if plugin.uncollected:
        raise CollectionFailed
    if plugin.refused:
        return plugin.refused
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise CollectionFailed
    endings = {node: plugin.endings.get(node, "not run") for node in plugin.to_run}
    return [f"{node}: {ending}" for node, ending in endings.items() if ending != "passed"]
