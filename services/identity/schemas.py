"""What callers of identity may send. A call of another shape is one refusal that names every field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from services.identity.devices import LONGEST_NAME
from services.identity.domain import CaseStatus
from services.identity.hotline import SIGNED_HEADERS
from services.identity.refusals import RequestInvalid
from shared.refusals import FieldProblem

LONGEST_SEALED = 8192
TOO_LONG, LENGTHS = "1 to {max}", re.compile(r"1 to (\d+)")


def text(longest: int, *, required: bool = True) -> fields.String:
    """A text that is not empty; an optional one, absent or null, is None."""
    length = validate.Length(min=1, max=longest, error=TOO_LONG)
    if required:
        return fields.String(required=True, validate=length)
    return fields.String(validate=length, allow_none=True, load_default=None)


class NotBlank(validate.Length):
    """Of such a length, and not of blanks alone."""

    def __call__(self, value: Any) -> Any:
        return super().__call__(value if value.strip() else "")


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
    user = fields.String(required=True, validate=NotBlank(min=1, max=60, error=TOO_LONG))
    sealed_password = sealed()


class StaffLogIn(WithPassword):
    sealed_totp = sealed(required=False)
    sealed_enrolment_code = sealed(required=False)
    sealed_device_token = sealed(required=False)


class LogIn(WithPassword):
    sealed_device_token = sealed(required=False)
    device_name = text(LONGEST_NAME, required=False)


class ConfirmLogIn(Request):
    sealed_log_in_token = sealed()
    sealed_otp = sealed()
    device_name = text(LONGEST_NAME, required=False)


class Hotline(Request):
    """A request as the voice platform signed it: the headers of the signature, and the body as it was."""

    headers = fields.Dict(
        required=True,
        keys=fields.String(validate=validate.OneOf(SIGNED_HEADERS)),
        values=fields.String(validate=validate.Length(max=2048)),
    )
    sealed_body = sealed()


class HotlineCall(Request):
    """What was heard, if anything: of what cannot be anybody's the domain says so in words that are read."""

    caller = fields.String(required=True)
    code = fields.String(required=True)


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
