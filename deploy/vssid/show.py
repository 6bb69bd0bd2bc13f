"""Shows rows to people as a table, to programs as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import click
from rich.console import Console
from rich.table import Table


def show(rows: Sequence[Mapping[str, object]], as_json: bool = False, *, nothing: str = "Nothing.") -> None:
    """The rows, all with the same names."""
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False, default=str))
    elif not rows:
        click.echo(nothing)
    else:
        table = Table()
        for name in rows[0]:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*("" if value is None else str(value) for value in row.values()))
        Console().print(table)


def span(seconds: float | None) -> str:
    """A time as people say it: ``90 s``, ``12 min``, ``5 h``, ``3 d``."""
    if seconds is None:
        return ""
    for unit, size, limit in (("s", 1, 120), ("min", 60, 120), ("h", 3600, 48)):
        if seconds < size * limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"
