"""How long photos are kept, and why: the law gives artefacts of a registration a shorter time than records.

A photo has one reason at a time, and a moment since when it holds; the settings say how long that is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from services.registration.domain import Registration
from services.registration.timeline import OPEN, SETTLED, Status

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Reason(StrEnum):
    """Why a photo is kept: the first two for as long as it takes, the others for a time."""

    DRAFT = "draft"
    OPEN = "open"
    VERIFIED = "verified"
    CLOSED = "closed"
    REPLACED = "replaced"  # by a supplement
    RETAKEN = "retaken"  # before it was sent
    NEVER_ATTACHED = "never_attached"  # an upload
    ORPHAN = "orphan"  # no registration knows it


@dataclass(frozen=True)
class Kept:
    """A photo in the object store."""

    ref: str
    sha256: str
    reason: Reason
    since: datetime


@dataclass(frozen=True)
class Terms:
    """How many days, by reason."""

    verified_days: int
    closed_days: int = 30
    replaced_days: int = 30
    orphan_days: int = 1

    def days(self, reason: Reason) -> int | None:
        """None where the time has no end yet."""
        return {
            Reason.VERIFIED: self.verified_days,
            Reason.CLOSED: self.closed_days,
            Reason.REPLACED: self.replaced_days,
            Reason.RETAKEN: 0,
            Reason.NEVER_ATTACHED: self.orphan_days,
            Reason.ORPHAN: self.orphan_days,
        }.get(reason)

    def kept_until(self, reason: Reason, since: datetime) -> datetime | None:
        """When the photo is to be deleted."""
        days = self.days(reason)
        return None if days is None else since + timedelta(days=days)

    def due(self, now: datetime) -> dict[Reason, datetime]:
        """By reason, since when at the latest what is to be deleted now has been kept."""
        return {r: now - timedelta(days=days) for r in Reason if (days := self.days(r)) is not None}


def photos_of(registration: Registration) -> Iterator[Kept]:
    """The photos of a registration, each once, with why it is kept since when."""
    held, supplement = registration, registration.supplement
    reason, since = reason_of(held)
    seen = set()
    for photo in (*held.photos, *(supplement.photos if supplement else ())):
        if photo.ref not in seen:
            seen.add(photo.ref)
            yield Kept(photo.ref, photo.sha256, reason, since)
    for photo in supplement.replaced if supplement else ():
        if photo.ref not in seen:
            seen.add(photo.ref)
            at = supplement.answered_at if supplement and supplement.answered_at else since
            yield Kept(photo.ref, photo.sha256, Reason.REPLACED, at)


def reason_of(registration: Registration) -> tuple[Reason, datetime]:
    """Why the photos of a registration are kept, and since when."""
    at = {entry.step: entry.at for entry in reversed(registration.timeline)}
    last = max(at.values(), default=LONG_AGO)
    status = registration.status
    if status is Status.DRAFT:
        return Reason.DRAFT, at.get("started", last)
    if status in OPEN:
        return Reason.OPEN, at.get("submitted", last)
    if status in SETTLED:
        return Reason.VERIFIED, at.get("verified", last)
    return Reason.CLOSED, at.get(status.value, last)
