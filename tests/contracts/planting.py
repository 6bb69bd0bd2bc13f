"""Plants one import after another in the tree it is started in, and says how import-linter takes each.

A program of its own, so that the copy of the tree is what is found under the names of the packages.
Reads ``[[contract, file, line], …]`` as JSON, writes what was said of each, as JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path

from importlinter.cli import lint_imports


def lint(*contracts: str) -> str:
    """What import-linter says of these contracts, or of all."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        lint_imports(limit_to_contracts=contracts, cache_dir="cache", no_logo=True)
    return said.getvalue()


def planted(contract: str, file: str, line: str) -> str:
    """What it says of the contract while this line stands at the end of this file."""
    path = Path(file)
    kept = path.read_text() if path.exists() else None
    path.write_text(f"{kept or ''}\n{line}\n")
    try:
        return lint(contract)
    finally:
        path.write_text(kept) if kept is not None else path.unlink()


if __name__ == "__main__":
    json.dump([lint(), *(planted(*plant) for plant in json.load(sys.stdin))], sys.stdout)
