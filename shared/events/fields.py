"""The field kinds of events: marshmallow fields that never turn a wrong type into a right one.

Every field is required unless made with ``optional=True``; an optional one, absent or null, loads as None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

LONGEST_TEXT = 2000
"""Characters in the longest text that an event carries."""


def presence(optional: bool) -> dict[str, Any]:
    """The marshmallow arguments that make a field required, or optional with ``None`` for absent."""
    return {"allow_none": True, "load_default": None} if optional else {"required": True}


_HALF_LETTER = re.compile("[\ud800-\udfff]")


class Text(fields.String):
    """A string, not empty, that a database can hold; ``one_of`` names the only values it may have."""

    def __init__(
        self, *, one_of: tuple[str, ...] = (), longest: int = LONGEST_TEXT, optional: bool = False
    ) -> None:
        allowed = validate.OneOf(one_of) if one_of else validate.Length(min=1, max=longest)
        super().__init__(validate=allowed, **presence(optional))

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return value  # as it is: loading then refuses what is not a string

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if "\0" in text or _HALF_LETTER.search(text):  # JSON can escape both, a database holds neither
            raise self.make_error("invalid")
        return text


class Count(fields.Integer):
    """A whole number from 0; neither "5" nor 5.0 nor true is one."""

    def __init__(self, *, optional: bool = False) -> None:
        super().__init__(validate=validate.Range(min=0), **presence(optional))

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return value

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            raise self.make_error("invalid", input=value)
        return value


class Id(fields.UUID):
    """A UUID: written as its 36 characters, read as ``uuid.UUID``."""

    def __init__(self, *, optional: bool = False) -> None:
        super().__init__(**presence(optional))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> UUID:
        if not isinstance(value, str) or len(value) != 36:  # UUID() alone also takes braces and urns
            raise self.make_error("invalid_uuid")
        return super()._deserialize(value, attr, data, **kwargs)


class Moment(fields.AwareDateTime):
    """A point in time with its offset: written as ISO 8601 in UTC, read as an aware ``datetime`` in UTC."""

    def __init__(self, *, optional: bool = False) -> None:
        super().__init__(format="iso", **presence(optional))

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        if not isinstance(value, datetime):
            return value
        if value.tzinfo is None:
            raise ValidationError("a time without an offset", attr or "_schema")
        return value.astimezone(UTC).isoformat()

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        try:
            return super()._deserialize(value, attr, data, **kwargs).astimezone(UTC)
        except OverflowError as error:  # year 1 or 9999, moved over the edge by its offset
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from error


class DataSchema(Schema):
    """Looks only for keys in a dict: marshmallow would take its method ``items`` for a field of that name."""

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        return obj.get(attr, default) if isinstance(obj, dict) else super().get_attribute(obj, attr, default)


def schema_of(name: str, parts: Mapping[str, fields.Field[Any]]) -> Schema:
    """A schema that ignores the fields it does not know: a newer publisher may send more."""
    return DataSchema.from_dict(dict(parts), name=name)(unknown=EXCLUDE)


class Part(fields.Nested):
    """An object inside the data, with fields of its own."""

    def __init__(self, name: str, parts: Mapping[str, fields.Field[Any]], *, optional: bool = False) -> None:
        super().__init__(schema_of(name, parts), **presence(optional))


class Several(fields.List[Any]):
    """A list of one kind of field. It may be empty."""

    def __init__(self, kind: fields.Field[Any], *, optional: bool = False) -> None:
        super().__init__(kind, **presence(optional))

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return super()._serialize(value, attr, obj, **kwargs) if isinstance(value, list | tuple) else value
