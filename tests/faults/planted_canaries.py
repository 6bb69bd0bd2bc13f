"""Leaks to be planted in identity and notification, of which ``PLANTED`` names one."""

from __future__ import annotations

import os
from collections.abc import Callable

from shared.sealed import Sealer

Plant = Callable[[], None]

seal, unseal = Sealer.seal, Sealer.open
CLEAR = "clear: "


def _password_in_clear() -> None:
    Sealer.seal = lambda self, to, text: CLEAR + text if to == "notification" else seal(self, to, text)  # type: ignore[method-assign]
    Sealer.open = lambda self, text: (  # type: ignore[method-assign]
        text.removeprefix(CLEAR) if text.startswith(CLEAR) else unseal(self, text)
    )


IN_BOTH: dict[str, Plant] = {"password in clear": _password_in_clear}


def plant(leaks: dict[str, Plant]) -> None:
    """The one that the environment names."""
    leaks[os.environ["PLANTED"]]()
