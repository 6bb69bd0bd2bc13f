"""What callers of registration may send, and what they get.

Loading is lenient where a wrong value already has a refusal of its own: a registration id that is none is a
registration that does not exist, and each field of the declaration is judged by ``declaration.py``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any
from uuid import UUID

from marshmallow import EXCLUDE, Schema, fields

from services.registration.address import AdministrativeUnit
from services.registration.agency import Agency
from services.registration.domain import Registration
from services.registration.timeline import REGISTER_TEXTS, Progress, Status, line_of


class Id(fields.Field[UUID | None]):
    """A UUID, or ``None`` for anything else."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> UUID | None:
        try:
            return UUID(value)
        except (ValueError, TypeError, AttributeError):
            return None


class Words(fields.Field[str]):
    """A text, or an empty one for anything else."""

    def __init__(self) -> None:
        super().__init__(load_default="", allow_none=True)

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> str:
        return value if isinstance(value, str) else ""


class Degrees(fields.Field[float | None]):
    """A latitude or longitude, or ``None`` for anything else."""

    def __init__(self, most: float) -> None:
        super().__init__(load_default=None, allow_none=True)
        self._most = most

    def deserialize(
        self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any
    ) -> float | None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if is_number and -self._most <= value <= self._most else None


class Day(fields.Field[date | None]):
    """A day, ``2025-06-30``, or ``None`` for anything else."""

    def __init__(self) -> None:
        super().__init__(load_default=None, allow_none=True)

    def deserialize(
        self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any
    ) -> date | None:
        try:
            return date.fromisoformat(value)
        except (ValueError, TypeError):
            return None


class Caller(fields.Field[str]):
    """Where the citizen calls from, a hash out of ``{"address": …}``; empty when the caller does not say."""

    def __init__(self) -> None:
        super().__init__(load_default="", allow_none=True)

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> str:
        address = value.get("address") if isinstance(value, Mapping) else None
        return address if isinstance(address, str) else ""


class Request(Schema):
    """Unknown fields are ignored: a newer caller may send more."""

    class Meta:
        unknown = EXCLUDE


class Start(Request):
    language = Words()


class StartForChild(Start):
    """``sealed_token``: the guardian's access token, sealed to identity."""

    sealed_token = Words()
    relation = Words()


class Held(Request):
    """A registration, held by its id and its resume token (sealed to registration)."""

    registration_id = Id(load_default=None, allow_none=True)
    sealed_resume_token = Words()


class Tags(fields.Field[list[str]]):
    """A few short texts; anything else is left out."""

    def __init__(self) -> None:
        super().__init__(load_default=[], allow_none=True)

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> list[str]:
        return [tag for tag in value if isinstance(tag, str)] if isinstance(value, list) else []


class Timeline(Held):
    """``known_tags``: of which answers the caller still has the text."""

    known_tags = Tags()


class SaveDeclaration(Held):
    declaration = fields.Raw(load_default=None, allow_none=True)
    client = Caller()


class AttachPhoto(Held):
    kind = Words()
    ref = Words()
    sha256 = Words()


class ChooseAgency(Held):
    agency_code = Words()
    email = Words()


class ConfirmEmailOtp(Held):
    sealed_otp = Words()


class SendSupplement(Held):
    answer = Words()


class ClaimPhone(Request):
    numbers = fields.List(fields.String(), required=True)
    phone = fields.String(required=True)


class Submit(Held):
    consent_version = Words()
    client = Caller()


class Consent(Request):
    version = Words()
    language = Words()


class Agencies(Request):
    province_code = Words()
    commune_code = Words()
    q = Words()
    latitude = Degrees(90)
    longitude = Degrees(180)


class AdministrativeUnits(Request):
    parent = Words()
    on = Day()


def load(schema: type[Schema], request: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a call."""
    loaded: dict[str, Any] = schema().load(request)
    return loaded


def view(registration: Registration, agency: Agency | None) -> dict[str, Any]:
    """A registration as its citizen sees it. Of the register check it tells no more than the guide does."""
    submission = registration.submission
    return {
        "id": str(registration.id),
        "status": registration.status.value,
        "steps": registration.steps,
        "missing": list(registration.missing),
        "register_check": registration.outcome,
        "register_text": register_text(registration),
        "photos_needed": list(registration.photos_needed),
        "guardian": registration.guardian
        and {"code": registration.guardian.code, "relation": registration.guardian.relation},
        "declaration": registration.declaration and asdict(registration.declaration),
        "agency": agency and agency_shown(agency),
        "email": registration.email,
        "email_verified": registration.email_verified,
        "warnings": list(registration.warnings),
        "supplement": registration.supplement_due
        and {
            "items": list(registration.supplement_due.items),
            "note": registration.supplement_due.note,
            "photos": [photo.kind for photo in registration.supplement_due.photos],
        },
        "declaration_number": submission and submission.declaration_number,
        "deadline": submission and submission.deadline.isoformat(),
    }


def register_text(registration: Registration) -> str | None:
    """What the citizen reads of the register check: the same words whatever did not match."""
    if registration.outcome is None:
        return None
    matched = registration.outcome == "matched"
    vi, en = REGISTER_TEXTS["child" if registration.guardian and not matched else registration.outcome]
    return en if registration.language == "en" else vi


def submitted(registration: Registration) -> dict[str, Any]:
    """The answer to a submission: the same each time, wherever the application stands by now."""
    submission = registration.submission
    assert submission is not None
    return {
        "id": str(registration.id),
        "status": Status.SUBMITTED.value,
        "declaration_number": submission.declaration_number,
        "deadline": submission.deadline.isoformat(),
    }


def document(registration: Registration, content: bytes) -> dict[str, Any]:
    """A declaration's PDF."""
    submission = registration.submission
    assert submission is not None
    return {
        "number": submission.declaration_number,
        "content": base64.b64encode(content).decode(),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def timeline(progress: Progress, known_tags: Sequence[str] = ()) -> dict[str, Any]:
    """What happened and what is next. ``tag`` changes with the rest; ``version`` counts the lines."""
    tag = progress.tag
    if tag in known_tags:
        return {"tag": tag, "unchanged": True}
    step, text = progress.next
    return {
        "tag": tag,
        "unchanged": False,
        "status": progress.status.value,
        "entries": [
            {
                "step": entry.step,
                "at": entry.at.isoformat(),
                "text": line_of(entry, progress.language),
                **({"detail": entry.detail} if entry.detail else {}),
            }
            for entry in progress.entries
        ],
        "next": {
            "step": step,
            "text": text,
            "until": progress.until and progress.until.isoformat(),
            "agency": progress.agency if step == "visit" else None,
        },
        "version": len(progress.entries),
    }


def agency_shown(agency: Agency) -> dict[str, Any]:
    return {**asdict(agency), **validity(agency), "display_name": agency.display_name}


def agency_found(agency: Agency, distance_metres: int | None) -> dict[str, Any]:
    return {**agency_shown(agency), "distance_metres": distance_metres}


def unit_shown(unit: AdministrativeUnit) -> dict[str, Any]:
    return {**asdict(unit), **validity(unit), "successors": list(unit.successors)}


def validity(held: Agency | AdministrativeUnit) -> dict[str, str | None]:
    """The first and the last day; null is since ever, and until further notice."""
    days = {"valid_from": held.valid_from, "valid_to": held.valid_to}
    return {name: day and day.isoformat() for name, day in days.items()}
