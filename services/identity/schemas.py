"""What callers of identity may send and what they get. A call of another shape is one refusal that names
every field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from services.identity.credentials import Session
from services.identity.devices import Device
from services.identity.domain import Account, Applicant, Case, CaseStatus
from services.identity.guardianship import Child, Guardianship
from services.identity.hotline import SIGNED_HEADERS
from services.identity.refusals import RequestInvalid
from services.identity.rights import AtTheDesk, Held, PersonRequest
from shared.refusals import FieldProblem

LONGEST_SEALED = 8192
TOO_LONG, LENGTHS = "1 to {max}", re.compile(r"1 to (\d+)")
PHOTO_CONTENT_TYPE = "image/jpeg"
"""Registration re-encodes every photo to it."""


def text(longest: int, *, required: bool = True) -> fields.String:
    """A text that is not empty; an optional one, absent or null, is None."""
    length = validate.Length(min=1, max=longest, error=TOO_LONG)
    if required:
        return fields.String(required=True, validate=length)
    return fields.String(validate=length, allow_none=True, load_default=None)


def sealed(*, required: bool = True) -> fields.String:
    """A secret sealed to identity."""
    return text(LONGEST_SEALED, required=required)


class Request(Schema):
    """Unknown fields are ignored: a newer caller may send more."""

    class Meta:
        unknown = EXCLUDE

    client = fields.Dict(keys=fields.String(), allow_none=True, load_default=None)
    """Who stands behind the caller: ``{"address": a keyed hash, "network": the same of what it is in}``."""


class Birth(Schema):
    class Meta:
        unknown = EXCLUDE

    precision = fields.String(required=True, validate=validate.OneOf(("day", "month", "year")))
    value = text(10)


class Document(Schema):
    class Meta:
        unknown = EXCLUDE

    kind = fields.String(required=True, validate=validate.OneOf(("cccd", "cmnd", "passport")))
    number = text(20)


class CheckCitizen(Request):
    request_id = fields.UUID(required=True)
    registration_id = fields.UUID(required=True)
    purpose = text(60)
    personal_number = text(12, required=False)
    document = fields.Nested(Document, required=True)
    full_name = text(200)
    birth = fields.Nested(Birth, required=True)


class WithPassword(Request):
    user = text(60)
    sealed_password = sealed()


class StaffLogIn(WithPassword):
    sealed_totp = sealed(required=False)
    sealed_device_token = sealed(required=False)


class LogIn(WithPassword):
    sealed_device_token = sealed(required=False)
    device_name = text(200, required=False)


class ConfirmLogIn(Request):
    sealed_log_in_token = sealed()
    sealed_otp = sealed()
    device_name = text(200, required=False)


class Hotline(Request):
    """A request as the voice platform signed it: the headers of the signature, and the body as it was."""

    headers = fields.Dict(
        required=True,
        keys=fields.String(validate=validate.OneOf(SIGNED_HEADERS)),
        values=fields.String(validate=validate.Length(max=2048)),
    )
    sealed_body = sealed()


class HotlineCall(Request):
    caller = text(40)
    code = text(40)


class Refresh(Request):
    sealed_refresh_token = sealed()


class ChangePassword(Request):
    sealed_token = sealed()
    sealed_old_password = sealed()
    sealed_new_password = sealed()


class StartEmailReset(Request):
    user = text(60)
    email = text(320, required=False)


class FinishEmailReset(Request):
    reset_id = fields.UUID(required=True)
    sealed_otp = sealed()
    sealed_new_password = sealed()


class Activation(Request):
    sealed_link = sealed()
    sealed_code = sealed()
    sealed_new_password = sealed()


class WithToken(Request):
    sealed_token = sealed()


class OfChild(WithToken):
    child_id = fields.UUID(required=True)


class EndDevice(WithToken):
    device_id = fields.UUID(required=True)


class Withdrawal(WithToken):
    sealed_password = sealed()


CORRECTABLE = ("full_name", "birth", "sex")


class Correction(WithToken):
    full_name = text(200, required=False)
    birth = text(10, required=False)
    sex = text(10, required=False)


class Staff(Request):
    sealed_staff_token = sealed()


class RequestAnswer(Staff):
    request_id = fields.UUID(required=True)
    granted = fields.Boolean(required=True)
    answer = fields.String(load_default="", allow_none=True, validate=validate.Length(max=5000))
    papers_checked = fields.Raw(load_default=False, allow_none=True)  # only a plain true counts


class Cases(Staff):
    status = fields.String(load_default="waiting", validate=validate.OneOf([s.value for s in CaseStatus]))
    cursor = text(200, required=False)
    q = fields.String(load_default="", allow_none=True, validate=validate.Length(max=200))


class OneCase(Staff):
    case_id = fields.UUID(required=True)


class CasePhoto(OneCase):
    kind = text(20)


class Confirmation(OneCase):
    papers_checked = fields.Raw(load_default=False, allow_none=True)  # only a plain true counts
    guardianship_confirmed = fields.Raw(load_default=False, allow_none=True)  # as before


class GuardianshipEnding(OneCase):
    reason = fields.String(load_default="", allow_none=True, validate=validate.Length(max=40))
    note = fields.String(load_default="", allow_none=True, validate=validate.Length(max=5000))


class HandOver(OneCase):
    papers_checked = fields.Raw(load_default=False, allow_none=True)  # only a plain true counts


class SupplementRequest(OneCase):
    items = fields.List(fields.String(validate=validate.Length(max=40)), required=True)
    note = fields.String(load_default="", allow_none=True, validate=validate.Length(max=5000))


class ContactChange(Staff):
    user = text(12)
    phone = text(20, required=False)
    email = text(320, required=False)
    papers_checked = fields.Raw(load_default=False, allow_none=True)  # only a plain true counts
    reason = fields.String(load_default="", allow_none=True, validate=validate.Length(max=5000))


class OpenApplications(Staff):
    number = fields.String(
        load_default=None, allow_none=True, validate=validate.Regexp(r"^(\d{10}|\d{12})\Z")
    )
    phone = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=40))


class Superseding(OpenApplications):
    declaration_number = text(40)
    papers_checked = fields.Raw(load_default=False, allow_none=True)  # only a plain true counts
    reason = fields.String(load_default="", allow_none=True, validate=validate.Length(max=5000))


class Rejection(OneCase):
    reason = fields.String(load_default="", allow_none=True, validate=validate.Length(max=5000))


def load(schema: type[Schema], request: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a call. Raises ``RequestInvalid`` naming every field, never what it held."""
    try:
        loaded: dict[str, Any] = schema().load(request)
        return loaded
    except ValidationError as error:
        messages = error.normalized_messages()  # type: ignore[no-untyped-call]
        problems = dict(_problems(messages))
    raise RequestInvalid(*(_problem(name, problems[name]) for name in sorted(problems)))


def _problems(messages: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every field that is wrong, and a message about it."""
    if not isinstance(messages, dict):
        yield path or "request", str(messages[0])
        return
    for name, inner in messages.items():
        yield from _problems(inner, path if name == "_schema" else f"{path}.{name}".strip("."))


def _problem(name: str, message: str) -> FieldProblem:
    """What would be right, as far as the shape says it."""
    if length := LENGTHS.fullmatch(message):
        return FieldProblem(name, f"Nhập từ 1 đến {length[1]} ký tự.", f"Enter 1 to {length[1]} characters.")
    return FieldProblem(name, "Giá trị không hợp lệ.", "Not a valid value.")


def address_of(asked: Mapping[str, Any]) -> str:
    """Where the citizen calls from, as a hash; empty when the caller does not say."""
    return str((asked["client"] or {}).get("address", ""))


def network_of(asked: Mapping[str, Any]) -> str:
    """The network that the address is in, as a hash; empty when the caller does not say."""
    return str((asked["client"] or {}).get("network", ""))


# --- what callers get ----------------------------------------------------------------------------


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
