"""The operator's command, as an operator calls it."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from deploy.native.instance import Instance
from deploy.native.layout import ROOT


def vssid(product: Instance, *arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    """``RUN=… bin/vssid …``; ``answer`` is typed when it asks."""
    return subprocess.run(
        [ROOT / "bin" / "vssid", *arguments],
        env={**os.environ, "RUN": str(product.run), "VSSID_OPERATOR": "the test", "COLUMNS": "200"},
        input=answer,
        capture_output=True,
        text=True,
    )


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What it said as JSON lines."""
    return [json.loads(line) for line in done.stdout.splitlines()]
