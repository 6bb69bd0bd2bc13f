"""Shapes of children and those who registered them."""

from __future__ import annotations

from marshmallow import Schema, fields

from services.gateway.shapes.parsing import text
from services.gateway.shapes.registrations import Start


class StartForChild(Start):
    relation = text("parent or guardian", required=True, example="parent")


class Child(Schema):
    id = fields.String(required=True, metadata={"format": "uuid"})
    code = fields.String(required=True)
    full_name = fields.String(required=True)
    birth = fields.Raw(required=True)
    relation = fields.String(required=True, metadata={"description": "parent or guardian"})
    confirmed_at = fields.String(required=True, metadata={"format": "date-time"})
    valid_until = fields.String(
        required=True, metadata={"format": "date-time", "description": "when the child comes of age"}
    )


class EndedGuardianship(Schema):
    """What an officer has ended, as the former guardian sees it."""

    id = fields.String(required=True, metadata={"format": "uuid", "description": "that the child had here"})
    relation = fields.String(required=True, metadata={"description": "parent or guardian"})
    confirmed_at = fields.String(required=True, metadata={"format": "date-time"})
    ended_at = fields.String(required=True, metadata={"format": "date-time"})
    reason = fields.String(
        required=True, metadata={"description": "came_of_age, custody_changed or confirmed_in_error"}
    )


class Children(Schema):
    items = fields.List(fields.Nested(Child), required=True)
    ended = fields.List(fields.Nested(EndedGuardianship), required=True)
