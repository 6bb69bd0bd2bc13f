"""What callers of identity may send. A call of another shape is one refusal that names every field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from services.identity.domain import CaseStatus, RequestInvalid
from shared.refusals import FieldProblem

LONGEST_SEALED = 8192


def text(longest: int, *, required: bool = True) -> fields.String:
    """A text that is not empty."""
    return fields.String(
        required=required,
        validate=validate.Length(min=1, max=longest),
        **({} if required else {"allow_none": True, "load_default": None}),
    )


def sealed() -> fields.String:
    """A secret sealed to identity."""
    return text(LONGEST_SEALED)


class Request(Schema):
    """Unknown fields are ignored: a newer caller may send more."""

    class Meta:
        unknown = EXCLUDE

    client = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict, allow_none=True)


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


class LogIn(Request):
    user = text(60)
    sealed_password = sealed()


class ChangePassword(Request):
    sealed_token = sealed()
    sealed_old_password = sealed()
    sealed_new_password = sealed()


class WithToken(Request):
    sealed_token = sealed()


class Staff(Request):
    sealed_staff_token = sealed()


class Cases(Staff):
    status = fields.String(load_default="waiting", validate=validate.OneOf([s.value for s in CaseStatus]))
    cursor = text(200, required=False)
    q = fields.String(load_default="", allow_none=True, validate=validate.Length(max=200))


class OneCase(Staff):
    case_id = fields.UUID(required=True)


class CasePhoto(OneCase):
    kind = text(20)


class Confirmation(OneCase):
    papers_checked = fields.Boolean(load_default=False, truthy={True}, falsy={False}, allow_none=True)


class Rejection(OneCase):
    reason = fields.String(load_default="", allow_none=True, validate=validate.Length(max=5000))


def load(schema: type[Schema], request: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a call. Raises ``RequestInvalid`` naming every field, never what it held."""
    try:
        loaded: dict[str, Any] = schema().load(request)
        return loaded
    except ValidationError as error:
        problems = tuple(sorted(set(_fields(error.normalized_messages()))))
    raise RequestInvalid(
        *(FieldProblem(name, "Giá trị không hợp lệ.", "Not a valid value.") for name in problems)
    )


def _fields(messages: Any, path: str = "") -> Iterator[str]:
    if not isinstance(messages, dict):
        yield path or "request"
        return
    for name, inner in messages.items():
        yield from _fields(inner, path if name == "_schema" else f"{path}.{name}".strip("."))
