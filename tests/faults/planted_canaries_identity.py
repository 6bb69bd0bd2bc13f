"""Identity with the leak of ``planted_canaries``."""

from __future__ import annotations

from services.identity.service import IdentityService
from services.identity.settings import Settings
from tests.faults import planted_canaries

__all__ = ["IdentityService", "Settings"]

planted_canaries.plant()
