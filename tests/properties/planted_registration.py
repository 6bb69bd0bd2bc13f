"""Registration with a defect planted, chosen by the environment: ``PLANTED`` names it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from services.registration import claims, domain
from services.registration.service import RegistrationService
from services.registration.settings import Settings
from shared.messaging import listener

__all__ = ["RegistrationService", "Settings"]


def _claims_are_not_unique() -> None:
    def take_over(storage: claims.Claims, wanted: claims.Claim) -> None:
        for other in storage.claims_on(wanted.values):
            storage.free_claims(other.registration_id)
        storage.save_claim(wanted)

    claims.claim = take_over


def _the_timeline_loses_a_line() -> None:
    entry = domain.Registration.entry

    def forgetful(self: domain.Registration, *arguments: Any) -> domain.Registration:
        kept = replace(self, timeline=self.timeline[:2] + self.timeline[3:])
        return entry(kept, *arguments)

    domain.Registration.entry = forgetful  # type: ignore[method-assign]


def _events_are_handled_as_often_as_they_come() -> None:
    def handle_always(database: Any, _listener: str, handler: Any, events: Any) -> None:
        with database.transaction() as tx:
            handler(tx, events)

    listener.handle_once = handle_always


DEFECTS = {
    "claims are not unique": _claims_are_not_unique,
    "the timeline loses a line": _the_timeline_loses_a_line,
    "no inbox": _events_are_handled_as_often_as_they_come,
}
DEFECTS[os.environ["PLANTED"]]()
