"""After a restore: what was told is told again, what was lost is taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from services.registration import claims
from services.registration.domain import (
    Registration,
)
from services.registration.timeline import OPEN, Status
from services.registration.use_cases.ending import CLOSED, close_request
from services.registration.use_cases.form import start
from services.registration.use_cases.outcomes import closed_as, note
from services.registration.use_cases.ports import Storage
from services.registration.use_cases.submission import claim_of, submission_data, visit_falls_due
from shared.events import registration as events
from shared.events.parts import photos_heard
from shared.messaging import outbox


def tell_submitted_again(storage: Storage, registration_id: UUID, *, now: datetime) -> None:
    """The case was lost: registration.submitted once more, as of then. Of an application that has ended or
    asked to end since, the request to close goes with it."""
    held = storage.find(registration_id, to_change=True)
    if held is None or held.submission is None or held.declaration is None:
        return
    data = submission_data(storage, held, held.declaration)
    at = held.submission.at
    outbox.add(storage.tx, events.SUBMITTED.event(subject=held.id, correlation_id=held.id, at=at, data=data))
    ask_to_close_again(storage, registration_id, now=now)


def ask_to_close_again(storage: Storage, registration_id: UUID, *, now: datetime) -> None:
    """The case does not know that the application has ended, or asked to end."""
    held = storage.find(registration_id, to_change=True)
    if held is None or held.submission is None:
        return
    if held.close_requested is not None or held.status in CLOSED:
        data = close_request(held.id, held.close_requested or "cancelled")
        outbox.add(
            storage.tx,
            events.CLOSE_REQUESTED.event(subject=held.id, correlation_id=held.id, at=now, data=data),
        )


def take_back(
    storage: Storage, submitted: Mapping[str, Any], *, has_ended: bool, token_hash: bytes, now: datetime
) -> None:
    """An application that was lost here, from what its case knows: the data of registration.submitted.

    A draft keeps its resume token; one that is gone altogether gets ``token_hash``, which nobody can open:
    its citizen goes on at the desk. ``has_ended``: its case gave phone and code free. Raises ``PhoneTaken``
    or ``CodeTaken`` when somebody else claimed one meanwhile.
    """
    known = storage.find(submitted["registration_id"], to_change=True)
    if known is not None and known.status is not Status.DRAFT:
        return
    at: datetime = submitted["consent"]["at"]
    draft = known or start(
        storage,
        registration_id=submitted["registration_id"],
        token_hash=token_hash,
        language=submitted["language"],
        now=at,
    )
    taken = draft.taken_back({**submitted, "photos": photos_heard(submitted)}, at)
    if not has_ended:
        assert taken.declaration is not None
        claims.claim(storage, claim_of(taken, taken.declaration))
    storage.save(taken)
    visit_falls_due(storage, taken, submitted["deadline"], now)


def end_emptied(storage: Storage, registration_id: UUID, *, reason: str | None, at: datetime) -> None:
    """How its case ended, ``reason`` why it was closed, none where it was rejected. The case was emptied
    since and cannot tell it, its person was told then: the application ends, emptied as well."""
    status, detail = closed_as(reason) if reason else (Status.REJECTED, None)

    def ended(held: Registration) -> Registration:
        return replace(held.ended(status, at, detail), erased_at=at) if held.status in OPEN else held

    note(storage, registration_id, ended)
