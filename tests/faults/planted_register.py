"""Identity with a defect planted: a check that the register did not answer is not made again."""

from __future__ import annotations

from services.identity import jobs
from services.identity.service import IdentityService
from services.identity.settings import Settings

__all__ = ["IdentityService", "Settings"]

jobs.check_register = lambda *_: lambda _tx: None
