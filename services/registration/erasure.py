"""What a person has erased here on request: photos, drafts, and what is personal of applications that came to
nothing, also of those made for a child. Identity asks, knows which applications are the person's, and tells
the person what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from services.registration.domain import Registration
from services.registration.retention import Erasure, erased
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
    ended = {*asked["closed_ids"], *asked["verified_ids"]}
    begun = storage.unsubmitted_of(asked["numbers"], asked["births"])
    for_children = storage.unsubmitted_by(asked["account_id"])
    locked = [storage.find(found, to_change=True) for found in sorted({*ended, *begun, *for_children})]
    held = [r for r in locked if r is not None and (r.id in ended or r.submission is None)]
    photos = storage.photos_kept_of([registration.id for registration in held])
    for registration in held:
        storage.save(erased(registration, at))
    return Erasure(
        asked["request_id"],
        asked["account_id"],
        at,
        photos,
        applications=sum(r.id in asked["closed_ids"] for r in held),
        drafts=sum(r.submission is None for r in held),
    )
