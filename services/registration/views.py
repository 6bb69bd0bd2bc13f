"""What callers of registration get."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from services.registration.address import AdministrativeUnit
from services.registration.agency import Agency
from services.registration.domain import Registration
from services.registration.timeline import REGISTER_TEXTS, Progress, Status, line_of


def registration_view(registration: Registration, agency: Agency | None) -> dict[str, Any]:
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
