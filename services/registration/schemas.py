"""What callers of registration may send.

Loading is lenient where a wrong value already has a refusal of its own: a registration id that is none is a
registration that does not exist, and each field of the declaration is judged by ``declaration.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from marshmallow import EXCLUDE, Schema, fields


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
