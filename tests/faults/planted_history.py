"""History with a defect planted, the one that ``PLANTED`` in the environment names: of what stands between a
child's records and somebody who is not its guardian, or not any more, one condition is missing."""

from __future__ import annotations

import os

from services.history import storage
from services.history.service import HistoryService
from services.history.settings import Settings

__all__ = ["HistoryService", "Settings"]

ITS_GUARDIAN = "guardianships.account_id = question.account_id"
ANYBODY = "TRUE"
ANY_GUARDIAN = "EXISTS (SELECT FROM guardianships held WHERE held.account_id = question.account_id)"

WHILE_IT_LASTS = "guardianships.valid_until > question.asked_at"

condition, instead = {
    "anybody": (ITS_GUARDIAN, ANYBODY),
    "any guardian": (ITS_GUARDIAN, ANY_GUARDIAN),
    "ended still looks up": (WHILE_IT_LASTS, "TRUE"),
}[os.environ["PLANTED"]]
assert condition in storage.LOOK_UP
storage.LOOK_UP = storage.LOOK_UP.replace(condition, instead)
