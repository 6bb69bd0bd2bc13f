"""History with a defect planted, the one that ``PLANTED`` in the environment names: of what stands between a
child's records and somebody who is not its guardian, one condition is missing."""

from __future__ import annotations

import os

from services.history import storage
from services.history.service import HistoryService
from services.history.settings import Settings

__all__ = ["HistoryService", "Settings"]

ITS_GUARDIAN = "guardianships.account_id = question.account_id"
ANYBODY = "TRUE"
ANY_GUARDIAN = "EXISTS (SELECT FROM guardianships held WHERE held.account_id = question.account_id)"

assert ITS_GUARDIAN in storage.LOOK_UP
storage.LOOK_UP = storage.LOOK_UP.replace(
    ITS_GUARDIAN, {"anybody": ANYBODY, "any guardian": ANY_GUARDIAN}[os.environ["PLANTED"]]
)
