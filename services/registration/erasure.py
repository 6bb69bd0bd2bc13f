"""What a person has erased here on request: photos, drafts, and what is personal of applications that came to
nothing, also of those made for a child. Identity asks, knows which applications are the person's, and tells
the person what came of it. What nobody asks for goes when its time is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from services.registration.domain import Registration
from services.registration.retention import Emptied, Erasure, Why, erased
from services.registration.timeline import OPEN
from shared.events import registration as events
from shared.messaging import outbox


class Storage(Protocol):
    """What is needed of the storage, inside one transaction."""

    @property
    def tx(self) -> outbox.Transaction: ...

    def find(self, registration_id: UUID, *, to_change: bool = False) -> Registration | None: ...
    def save(self, registration: Registration) -> None: ...
    def unsubmitted_of(self, numbers: Sequence[str], births: Sequence[str]) -> list[UUID]: ...
    def unsubmitted_by(self, account_id: UUID) -> list[UUID]: ...
    def photos_kept_of(self, registration_ids: Sequence[UUID]) -> int: ...
    def add_erasure(self, erasure: Erasure) -> None: ...
    def erasure(self, request_id: UUID) -> Erasure | None: ...
    def applications_over(self, *, before: datetime, limit: int) -> list[UUID]: ...
    def prove_emptied(self, emptied: Emptied) -> None: ...


def erase(storage: Storage, asked: Mapping[str, Any], *, at: datetime) -> None:
    """account.erasure_due: all of it in one transaction; the photos are deleted by the job, each with its
    proof. Told again: the same answer again, and nothing else."""
    done = storage.erasure(asked["request_id"])
    if done is None:
        done = _erase(storage, asked, at)
        storage.add_erasure(done)
    data = {name: value for name, value in asdict(done).items() if name != "erased_at"}
    outbox.add(
        storage.tx,
        events.ERASED.event(
            subject=done.account_id, correlation_id=done.account_id, at=done.erased_at, data=data
        ),
    )


def _erase(storage: Storage, asked: Mapping[str, Any], at: datetime) -> Erasure:
    ended = {*asked["closed_ids"], *asked["verified_ids"], *(asked["open_ids"] or ())}
    begun = storage.unsubmitted_of(asked["numbers"], asked["births"])
    for_children = storage.unsubmitted_by(asked["account_id"])
    locked = [storage.find(found, to_change=True) for found in sorted({*ended, *begun, *for_children})]
    held = [r for r in locked if r is not None and (r.id in ended or _is_draft_of(r, at))]
    photos = storage.photos_kept_of(
        [registration.id for registration in held if registration.status not in OPEN]
    )
    for registration in held:
        after = erased(registration, at)
        storage.save(after)
        if after.is_emptied:
            note_emptied(storage, after, Why.REQUEST, at)
    return Erasure(
        asked["request_id"],
        asked["account_id"],
        at,
        photos,
        applications=sum(r.id in asked["closed_ids"] for r in held),
        drafts=sum(r.submission is None for r in held),
    )


def _is_draft_of(registration: Registration, at: datetime) -> bool:
    """Whether it is a draft from before it was asked for: told again after a restore, that is long ago."""
    return registration.submission is None and all(entry.at <= at for entry in registration.timeline[:1])


def empty_over(storage: Storage, *, before: datetime, at: datetime, limit: int) -> int:
    """Applications that came to nothing before then lose what is personal, as many as ``limit``, each with
    its proof. Returns how many. What was verified is a record that the law keeps."""
    over = storage.applications_over(before=before, limit=limit)
    for registration_id in over:
        held = storage.find(registration_id, to_change=True)
        assert held is not None  # it is held since it was found
        after = erased(held, at)
        storage.save(after)
        note_emptied(storage, after, Why.TERM, at)
    return len(over)


def note_emptied(storage: Storage, held: Registration, why: Why, at: datetime) -> None:
    """The proof, and its case loses the same."""
    storage.prove_emptied(Emptied(held.id, why, held.timeline[-1].at, at))
    tell_emptied(storage, held.id, at)


def tell_emptied(storage: Storage, registration_id: UUID, at: datetime) -> None:
    """registration.emptied, also told again after a restore."""
    data = {"registration_id": registration_id}
    outbox.add(
        storage.tx,
        events.EMPTIED.event(subject=registration_id, correlation_id=registration_id, at=at, data=data),
    )
