"""What a stand-in received, as JSON lines on disk: written before the answer, read again at the start."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class Ledger:
    """An append-only file of JSON objects, one a line. Safe to append to from several threads.

    A row is handed to the operating system when ``append`` returns: it outlives the process, killed or not.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.rows: list[Row] = [json.loads(line) for line in _whole_lines(path)]
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def append(self, row: Row) -> None:
        """Keep one row."""
        line = json.dumps(row, ensure_ascii=False) + "\n"
        with self._lock:
            self._file.write(line)
            self._file.flush()
            self.rows.append(row)

    def close(self) -> None:
        self._file.close()


def _whole_lines(path: Path) -> list[str]:
    """The lines written to their end. A torn last one was never answered, so it is cut off."""
    if not path.exists():
        return []
    written = path.read_bytes()
    whole = written[: written.rfind(b"\n") + 1]
    if len(whole) < len(written):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return whole.decode().split("\n")[:-1]  # not splitlines: a text may hold other line separators
