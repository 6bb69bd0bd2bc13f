"""What ends an application from this side: its holder, its deadline; and what is said before."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from services.registration import claims
from services.registration.domain import (
    Registration,
)
from services.registration.timeline import Status
from services.registration.use_cases.holding import Key, hold
from services.registration.use_cases.ports import Storage
from shared.events import registration as events
from shared.messaging import outbox

CLOSED = frozenset({Status.REJECTED, Status.EXPIRED, Status.CANCELLED})
"""Endings after which phone and code are free again."""


def cancel(storage: Storage, key: Key, *, now: datetime) -> Registration:
    """A draft is closed at once; a submitted application asks its case to close, once."""
    before = hold(storage, key, to_change=True)
    after = before.cancelled_by_citizen(now)
    ask_to_close(storage, before, after, now)
    return after


def pass_deadline(storage: Storage, registration_id: UUID, *, now: datetime) -> None:
    """The deadline has passed: the case is asked to close, if it is still open."""
    before = storage.find(registration_id, to_change=True)
    if before is not None:
        ask_to_close(storage, before, before.close_requested_for("deadline_passed", now), now)


def ask_to_close(storage: Storage, before: Registration, after: Registration, now: datetime) -> None:
    if after == before:
        return
    storage.save(after)
    if after.close_requested != before.close_requested:
        data = close_request(after.id, after.close_requested or "")
        outbox.add(
            storage.tx,
            events.CLOSE_REQUESTED.event(subject=after.id, correlation_id=after.id, at=now, data=data),
        )


def close_request(registration_id: UUID, reason: str) -> dict[str, Any]:
    """The body of registration.close_requested.v1, whose published reasons do not know ``superseded``."""
    if reason == "superseded":
        return {"registration_id": registration_id, "reason": "cancelled", "because": reason}
    return {"registration_id": registration_id, "reason": reason}


def claim_phone(storage: Storage, *, numbers: frozenset[str], phone: str, now: datetime) -> bool:
    """A change of contact at the desk: the account's phone from now on. False while an open application,
    which is asked to close, still holds it: whoever stands at the desk supersedes one who was not seen yet.

    Raises ``AccountUnknown``, ``PhoneTaken``.
    """
    in_the_way = claims.move_phone(storage, numbers, phone)
    for registration_id in in_the_way:
        before = storage.find(registration_id, to_change=True)
        if before is not None:
            ask_to_close(storage, before, before.close_requested_for("superseded", now), now)
    return not in_the_way


def remind(storage: Storage, registration_id: UUID, *, now: datetime) -> None:
    """The visit is still to come and its deadline near: a message is due, and the timeline tells of it."""
    held = storage.find(registration_id, to_change=True)
    reminded = held and held.reminded(now)
    if reminded is None or reminded.declaration is None or reminded.submission is None:
        return
    agency = storage.agency(reminded.agency_code or "")
    if agency is None:
        return
    storage.save(reminded)
    data = {
        "registration_id": reminded.id,
        "phone": reminded.declaration.phone,
        "email": reminded.email,
        "agency": agency,
        "deadline": reminded.submission.deadline,
        "language": reminded.language,
    }
    event = events.REMINDER_DUE.event(subject=reminded.id, correlation_id=reminded.id, at=now, data=data)
    outbox.add(storage.tx, event)
