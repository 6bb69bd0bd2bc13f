"""What other services tell of an application."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from services.registration import claims, erasure
from services.registration.domain import (
    Registration,
)
from services.registration.retention import Why, emptied
from services.registration.timeline import Status
from services.registration.use_cases.ending import CLOSED
from services.registration.use_cases.ports import Storage

Change = Callable[[Registration], Registration]


def note_check(storage: Storage, registration_id: UUID, *, outcome: str, at: datetime) -> None:
    note(storage, registration_id, lambda held: held.checked(outcome, at))


def note_supplement(
    storage: Storage, registration_id: UUID, *, text: str | None, at: datetime, items: tuple[str, ...] = ()
) -> None:
    note(storage, registration_id, lambda held: held.supplement_asked(text, at, items))


def note_verified(storage: Storage, registration_id: UUID, *, at: datetime, was_known: bool = False) -> None:
    """``was_known``: verified earlier, and not sent to the desk again (guide row G13)."""
    note(storage, registration_id, lambda held: held.verified(at, was_known=was_known))
    claims.settle(storage, registration_id)


def note_issued(
    storage: Storage,
    registration_id: UUID,
    *,
    credential_id: UUID,
    valid_until: datetime,
    at: datetime,
    is_link: bool = False,
) -> None:
    def change(held: Registration) -> Registration:
        return held.issued(credential_id, at, valid_until, is_link=is_link)

    note(storage, registration_id, change)


def note_reissued(
    storage: Storage, registration_id: UUID, *, credential_id: UUID, valid_until: datetime, at: datetime
) -> None:
    note(storage, registration_id, lambda held: held.reissued(credential_id, at, valid_until))


def note_rejected(storage: Storage, registration_id: UUID, *, reason: str, at: datetime) -> None:
    note(storage, registration_id, lambda held: held.ended(Status.REJECTED, at, reason))


def note_closed(storage: Storage, registration_id: UUID, *, reason: str, at: datetime) -> None:
    status, detail = closed_as(reason)
    note(storage, registration_id, lambda held: held.ended(status, at, detail))


def closed_as(reason: str) -> tuple[Status, str | None]:
    """The status of an application whose case was closed, and the detail of that line."""
    status = Status.EXPIRED if reason == "deadline_passed" else Status.CANCELLED
    return status, reason if reason == "superseded" else None


def note_message(
    storage: Storage, registration_id: UUID, *, credential_id: UUID, outcome: str, at: datetime
) -> None:
    """The SMS with the password was ``sent``, ``delivered`` or ``failed``, the e-mail with the link
    ``link_sent`` or ``link_failed``."""
    steps = {
        "sent": Registration.password_sent,
        "delivered": Registration.password_delivered,
        "failed": Registration.password_failed,
        "link_sent": Registration.link_sent,
        "link_failed": Registration.link_failed,
    }
    note(storage, registration_id, lambda held: steps[outcome](held, credential_id, at))


def note_followed(
    storage: Storage,
    registration_id: UUID,
    *,
    credential_id: UUID,
    step: str,
    at: datetime,
    valid_until: datetime | None = None,
) -> None:
    """What became of a password beyond its messages, as identity says (``credentials.followed``)."""
    changes: dict[str, Change] = {
        "counter_due": lambda held: held.counter_due(credential_id, at),
        "handed_over": lambda held: held.handed_over(credential_id, at, valid_until),
        "logged_in": lambda held: held.password_used(credential_id, at),
        "activated": lambda held: held.password_used(credential_id, at, is_link=True),
    }
    note(storage, registration_id, changes[step])


def note(storage: Storage, registration_id: UUID, change: Change) -> None:
    """Apply a change to a registration if it is known; an ending that closes it frees phone and code, and
    empties what its person had erased while it was under way."""
    before = storage.find(registration_id, to_change=True)
    if before is None:
        return
    after = emptied(change(before))
    if after == before:
        return
    storage.save(after)
    if after.status in CLOSED and before.status not in CLOSED:
        storage.free_claims(registration_id)
        if after.is_emptied:
            erasure.note_emptied(storage, after, Why.REQUEST, after.timeline[-1].at)
