"""Identity with a defect planted: while Redis is away nobody counts wrong tries."""

from __future__ import annotations

from services.identity.service import IdentityService
from services.identity.settings import Settings
from services.identity.wrong_tries import WrongTries

__all__ = ["IdentityService", "Settings"]

WrongTries.wait_seconds = lambda self, name, key, limit: 0  # type: ignore[method-assign]
WrongTries.hit = lambda self, name, key, limit: True  # type: ignore[method-assign]
