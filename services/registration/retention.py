"""How long photos are kept, and why: the law gives artefacts of a registration a shorter time than records;
and what is left of a registration whose person had it erased.

A photo has one reason at a time, and a moment since when it holds; the settings say how long that is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

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
    ERASED = "erased"  # on request, or with all that was personal of the application
    ABANDONED = "abandoned"  # of a draft that nobody went on with


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
    application_closed_days: int = 365
    """After which an application that came to nothing loses what is personal."""
    draft_days: int = 30
    """Since the last save; then the draft is deleted, and its photos are due."""

    def days(self, reason: Reason) -> int | None:
        """None where the time has no end yet."""
        return {
            Reason.VERIFIED: self.verified_days,
            Reason.CLOSED: self.closed_days,
            Reason.REPLACED: self.replaced_days,
            Reason.RETAKEN: 0,
            Reason.ERASED: 0,
            Reason.ABANDONED: 0,
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
            replaced = Kept(photo.ref, photo.sha256, Reason.REPLACED, at)
            yield replace(replaced, reason=reason, since=since) if reason is Reason.ERASED else replaced


def reason_of(registration: Registration) -> tuple[Reason, datetime]:
    """Why the photos of a registration are kept, and since when."""
    status = registration.status
    if registration.erased_at is not None and status not in OPEN:
        return Reason.ERASED, registration.erased_at
    at = {entry.step: entry.at for entry in reversed(registration.timeline)}
    last = max(at.values(), default=LONG_AGO)
    if status is Status.DRAFT:
        return Reason.DRAFT, at.get("started", last)
    if status in OPEN:
        return Reason.OPEN, at.get("submitted", last)
    if status in SETTLED:
        return Reason.VERIFIED, at.get("verified", last)
    return Reason.CLOSED, at.get(status.value, last)


# --- erased on request, or when the time is over ------------------------------------------------

WRITTEN_BY_OFFICERS = frozenset({"rejected", "supplement_requested"})
"""Steps whose detail is free text."""


@dataclass(frozen=True)
class Erasure:
    """What came of one request: photos that are being deleted, applications that came to nothing and drafts
    that lost what was personal."""

    request_id: UUID
    account_id: UUID
    erased_at: datetime
    photos: int
    applications: int
    drafts: int


class Why(StrEnum):
    """Why an application that came to nothing has lost what was personal."""

    TERM = "term"  # its time was over
    REQUEST = "request"  # of its person


@dataclass(frozen=True)
class Emptied:
    """The proof that an application lost what was personal."""

    registration_id: UUID
    reason: Why
    ended_at: datetime
    emptied_at: datetime


def erased(registration: Registration, at: datetime) -> Registration:
    """Its photos are due at once. A draft is closed; of what came to nothing only number, times and steps
    stay, and the version of the consent. What was verified stays as it is; what is under way, or has ended
    without this side knowing of it yet, is emptied, with its photos, when it has ended (``emptied``)."""
    held = registration if registration.submission is not None else registration.cancelled_by_citizen(at)
    return emptied(replace(held, erased_at=held.erased_at or at))


def emptied(registration: Registration) -> Registration:
    """Without what is personal, if it was to be erased and came to nothing; otherwise itself."""
    held, supplement, guardian = registration, registration.supplement, registration.guardian
    if held.erased_at is None or held.status in (Status.DRAFT, *OPEN, *SETTLED):
        return held
    return replace(
        held,
        declaration=None,
        warnings=(),
        email=None,
        email_verified=False,
        email_otp=None,
        submission=held.submission and replace(held.submission, names=None),
        supplement=supplement and replace(supplement, note=None),
        guardian=guardian and replace(guardian, code="", phone=""),
        timeline=tuple(
            replace(entry, detail=None) if entry.step in WRITTEN_BY_OFFICERS else entry
            for entry in held.timeline
        ),
    )
