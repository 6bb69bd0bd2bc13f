"""Identity with a defect planted, chosen by the environment: ``PLANTED`` names it."""

from __future__ import annotations

import os

from services.identity.domain import Case
from services.identity.service import IdentityService
from services.identity.settings import Settings
from services.identity.storage.cases import Cases

__all__ = ["IdentityService", "Settings"]

ONLY_ONCE = " AND status = 'waiting'"


def _an_ending_is_overwritten() -> None:
    assert ONLY_ONCE in Cases.END_CASE
    Cases.END_CASE = Cases.END_CASE.replace(ONLY_ONCE, "")
    Case.open_to = lambda self, _officer, _now: self


DEFECTS = {"an ending is overwritten": _an_ending_is_overwritten}
DEFECTS[os.environ["PLANTED"]]()
