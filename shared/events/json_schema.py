"""The JSON Schema of an event's data, as other programs read it: for AsyncAPI and for comparing versions."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from marshmallow import Schema, fields, validate

from shared.events.fields import Count, Id, Moment, Part, Several, Text

JsonSchema = dict[str, Any]


def of_schema(schema: Schema) -> JsonSchema:
    """Draft-07 JSON Schema of the wire form. More properties are allowed: readers ignore them."""
    return {
        "type": "object",
        "properties": {name: of_field(field) for name, field in schema.fields.items()},
        "required": [name for name, field in schema.fields.items() if field.required],
    }


def of_field(field: fields.Field[Any]) -> JsonSchema:
    """The schema of one field; an optional one may also be null."""
    found = _kind(field)
    if field.allow_none:
        found["type"] = [found["type"], "null"]
        if "enum" in found:
            found["enum"] = [*found["enum"], None]
    return found


@singledispatch
def _kind(field: object) -> JsonSchema:
    raise TypeError(f"events have no field of kind {type(field).__name__}: use those of shared.events.fields")


@_kind.register
def _text(field: Text) -> JsonSchema:
    (rule,) = field.validators
    if isinstance(rule, validate.OneOf):
        return {"type": "string", "enum": list(rule.choices)}
    assert isinstance(rule, validate.Length)
    return {"type": "string", "minLength": rule.min, "maxLength": rule.max}


@_kind.register
def _count(_field: Count) -> JsonSchema:
    return {"type": "integer", "minimum": 0}


@_kind.register
def _id(_field: Id) -> JsonSchema:
    return {"type": "string", "format": "uuid"}


@_kind.register
def _moment(_field: Moment) -> JsonSchema:
    return {"type": "string", "format": "date-time"}


@_kind.register
def _part(field: Part) -> JsonSchema:
    return of_schema(field.schema)


@_kind.register
def _several(field: Several) -> JsonSchema:
    return {"type": "array", "items": of_field(field.inner)}
