"""Writes what a run found into ``docs/performance.md``, between markers; the rest of the page is by hand."""

from __future__ import annotations

import re

from shared.testing.processes import ROOT

PAGE = ROOT / "docs" / "performance.md"


def write(part: str, text: str) -> None:
    """Replace what stands between ``<!-- part -->`` and ``<!-- /part -->``. Raises ``ValueError`` when the
    page has no such markers."""
    page, made = re.subn(
        rf"(<!-- {part} -->\n).*?(<!-- /{part} -->)",
        lambda found: f"{found[1]}{text.rstrip()}\n{found[2]}",
        PAGE.read_text(),
        flags=re.DOTALL,
    )
    if made != 1:
        raise ValueError(f"{PAGE.name} has no place for {part}")
    PAGE.write_text(page)
