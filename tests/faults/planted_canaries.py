"""Leaks to be planted in identity and notification, of which ``PLANTED`` names one."""

from __future__ import annotations

import os

from shared.sealed import Sealer

seal, unseal = Sealer.seal, Sealer.open
CLEAR = "clear: "


def _password_in_clear() -> None:
    Sealer.seal = lambda self, to, text: CLEAR + text if to == "notification" else seal(self, to, text)  # type: ignore[method-assign]
    Sealer.open = lambda self, text: (  # type: ignore[method-assign]
        text.removeprefix(CLEAR) if text.startswith(CLEAR) else unseal(self, text)
    )


def plant() -> None:
    """The defect that the environment names."""
    {"password in clear": _password_in_clear}[os.environ["PLANTED"]]()
