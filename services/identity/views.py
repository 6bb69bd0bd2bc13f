"""What callers of identity get."""

from __future__ import annotations

from typing import Any

from services.identity.credentials import Session
from services.identity.devices import Device
from services.identity.domain import Account, Applicant, Case
from services.identity.guardianship import Child, Guardianship
from services.identity.rights import AtTheDesk, Held, PersonRequest

PHOTO_CONTENT_TYPE = "image/jpeg"
"""Registration re-encodes every photo to it."""


def case_state(case: Case) -> dict[str, str]:
    """How a case ended, or what it waits for."""
    return {"id": str(case.id), "status": case.stage}


def open_application(case: Case) -> dict[str, str]:
    """All that an officer of another agency sees of an application."""
    return {"declaration_number": case.declaration_number, "opened_at": case.opened_at.isoformat()}


def case_item(case: Case) -> dict[str, Any]:
    """A case in the list."""
    return {
        "id": str(case.id),
        "registration_id": str(case.registration_id),
        "declaration_number": case.declaration_number,
        "full_name": case.applicant.full_name,
        "code": case.applicant.code,
        "status": case.status.value,
        "stage": case.stage,
        "claimed_by": case.hold and {"name": case.hold.name, "until": case.hold.until.isoformat()},
        "opened_at": case.opened_at.isoformat(),
        "deadline": case.deadline.isoformat(),
        "register_outcome": case.register.outcome.value,
    }


def case_view(
    case: Case,
    account: Account | None = None,
    guardian: Account | None = None,
    confirmed: Guardianship | None = None,
) -> dict[str, Any]:
    """All that an officer compares with the papers; ``account`` is what its person has already, ``guardian``
    that of who registers a child, ``confirmed`` what was confirmed of that."""
    return (
        case_item(case)
        | person_view(case.applicant)
        | {
            "agency_code": case.agency_code,
            "photos": [{"kind": photo.kind, "sha256": photo.sha256} for photo in case.photos],
            "mismatched_fields": list(case.register.mismatched_fields),
            "warnings": list(case.warnings),
            "supplement": case.supplement
            and {
                "items": list(case.supplement.items),
                "note": case.supplement.note,
                "asked_at": case.supplement.asked_at.isoformat(),
                "answer": case.supplement.answer,
                "answered_at": case.supplement.answered_at and case.supplement.answered_at.isoformat(),
            },
            "account": account
            and {
                "code": account.code,
                "full_name": account.full_name,
                "birth_value": account.birth_value,
                "phone": account.phone,
                "email": account.email,
            },
            "guardian": case.guardian
            and guardian
            and {
                "relation": case.guardian.relation,
                "code": guardian.code,
                "full_name": guardian.full_name,
                "birth_value": guardian.birth_value,
                "acts_until": confirmed and confirmed.valid_until.isoformat(),
                "end_reason": confirmed and confirmed.end_reason,
            },
        }
    )


def guardian_view(account: Account) -> dict[str, Any]:
    """For registration: where a child's messages go."""
    return {
        "account_id": str(account.id),
        "code": account.code,
        "phone": account.phone,
        "email": account.email,
    }


def child_view(child: Child) -> dict[str, Any]:
    """A child as its guardian sees it. ``id`` is the child's in the paths of its look-ups."""
    person, confirmed = child.applicant, child.guardianship
    return {
        "id": str(confirmed.child_person_id),
        "code": person.code,
        "full_name": person.full_name,
        "birth": {"precision": person.birth_precision, "value": person.birth_value},
        "relation": confirmed.relation,
        "confirmed_at": confirmed.confirmed_at.isoformat(),
        "valid_until": confirmed.valid_until.isoformat(),
    }


def ended_view(ended: Guardianship) -> dict[str, Any]:
    """What an officer has ended, as the former guardian sees it: by its ``id``, nothing of the child."""
    return {
        "id": str(ended.child_person_id),
        "relation": ended.relation,
        "confirmed_at": ended.confirmed_at.isoformat(),
        "ended_at": ended.valid_until.isoformat(),
        "reason": ended.end_reason,
    }


def me_view(session: Session) -> dict[str, Any]:
    """Whose session it is."""
    return {
        "account_id": str(session.account.id),
        "code": session.account.code,
        "full_name": session.account.full_name,
        "must_change_password": session.must_change_password,
    }


def device_view(device: Device, session: Session) -> dict[str, Any]:
    """Where the citizen is logged in; ``current`` is the device that asks."""
    return {
        "id": str(device.id),
        "name": device.name,
        "first_seen_at": device.first_seen_at.isoformat(),
        "last_seen_at": device.last_seen_at.isoformat(),
        "current": device.id == session.device_id,
    }


def request_view(request: PersonRequest) -> dict[str, Any]:
    """A request of a person, with its answer if there is one."""
    return {
        "id": str(request.id),
        "kind": request.kind.value,
        "asked_at": request.asked_at.isoformat(),
        "due_at": request.due_at.isoformat(),
        "wanted": dict(request.wanted),
        "state": request.state.value,
        "answer": request.answer,
        "answered_at": request.answered_at and request.answered_at.isoformat(),
    }


def request_at_the_desk(item: AtTheDesk) -> dict[str, Any]:
    """A request beside what is held of its person."""
    person = item.person.applicant
    return request_view(item.request) | {
        "code": item.account.code,
        "held": {"full_name": person.full_name, "birth": person.birth_value, "sex": person.sex},
    }


def held_view(held: Held) -> dict[str, Any]:
    """All that identity holds of a person. Hashes of passwords are nobody's to have."""
    return {
        "account": {
            "id": str(held.account.id),
            "code": held.account.code,
            "phone": held.account.phone,
            "email": held.account.email,
            "language": held.account.language,
        },
        "person": {**person_view(held.person.applicant), "verified_at": held.person.verified_at.isoformat()},
        "applications": [
            {
                "registration_id": str(case.registration_id),
                "declaration_number": case.declaration_number,
                "agency_code": case.agency_code,
                "status": case.status.value,
                "opened_at": case.opened_at.isoformat(),
                "declared": person_view(case.applicant),
                "photos": [photo.kind for photo in case.photos],
            }
            for case in held.cases
        ],
        "log_ins": [
            {"began_at": began.isoformat(), "ended_at": ended and ended.isoformat()}
            for began, ended in held.log_ins
        ],
        "register_questions": [
            {
                "purpose": question["purpose"],
                "asked_at": question["asked_at"].isoformat(),
                "answered": question["answered"],
            }
            for question in held.questions
        ],
        "password_resets": [
            {"asked_at": asked.isoformat(), "used_at": used and used.isoformat()}
            for asked, used in held.resets
        ],
        "requests": [request_view(request) for request in held.requests],
        "children": [child_view(child) for child in held.children],
        "ended_guardianships": [ended_view(one) for one in held.ended],
    }


def person_view(person: Applicant) -> dict[str, Any]:
    """A person as declared, or as verified."""
    return {
        "code": person.code,
        "personal_number": person.personal_number,
        "full_name": person.full_name,
        "birth": {"precision": person.birth_precision, "value": person.birth_value},
        "sex": person.sex,
        "document": {"kind": person.document_kind, "number": person.document_number},
        "phone": person.phone,
        "email": person.email,
        "address": dict(person.address),
    }
