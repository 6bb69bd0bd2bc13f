"""What a run found, as JSON files, so that tables, targets and plots can be made again without measuring."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contestants import Setting
from bench.latency import LatencyRun
from bench.lookup import LookupRun
from bench.stage import StageRun


@dataclass(frozen=True)
class Records:
    """A folder with ``stage.json``, ``lookup.json`` and so on, one file for each part, and with
    ``machine.json``, which tells for each of them when and on what it was measured."""

    folder: Path

    def keep(self, part: str, found: Mapping[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file(part).write_text(json.dumps(found, indent=1) + "\n")

    def read(self, part: str) -> dict[str, Any]:
        """Empty when that part was not measured."""
        file = self._file(part)
        return dict(json.loads(file.read_text())) if file.exists() else {}

    def _file(self, part: str) -> Path:
        return self.folder / f"{part}.json"


def of_stage(runs: Sequence[StageRun], setting: Setting) -> dict[str, Any]:
    """Medians, and what they were taken from."""
    return {
        "per_second": round(statistics.median(run.per_second for run in runs), 1),
        "cpu_us": round(statistics.median(run.cpu_us for run in runs), 1),
        "memory_mib": round(max(run.memory_mib for run in runs), 1),
        "setting": dict(setting),
        "runs": [[round(run.per_second, 1), round(run.cpu_us, 1)] for run in runs],
    }


def of_lookup(runs: Sequence[LookupRun], setting: Setting) -> dict[str, Any]:
    return {
        "per_second": round(statistics.median(run.per_second for run in runs), 1),
        "cpu_us": round(statistics.median(run.cpu_us for run in runs), 1),
        "median_ms": round(statistics.median(run.median_ms for run in runs), 2),
        "setting": dict(setting),
        "runs": [[round(run.per_second, 1), round(run.cpu_us, 1)] for run in runs],
    }


def of_latency(runs: Sequence[LatencyRun]) -> dict[str, Any]:
    """Over all events of all runs."""
    every = [took for run in runs for took in run.milliseconds]
    return {
        "median_ms": round(statistics.median(every), 2),
        "p95_ms": round(statistics.quantiles(every, n=20)[-1], 2),
        "events": len(every),
        "runs": [round(run.median_ms, 2) for run in runs],
    }
