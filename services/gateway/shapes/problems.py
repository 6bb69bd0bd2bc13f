"""Shapes of what was refused: problem+json (RFC 9457)."""

from __future__ import annotations

from marshmallow import Schema, fields


class FieldError(Schema):
    field = fields.String(required=True, metadata={"examples": ["document.number"]})
    detail = fields.String(required=True, metadata={"description": "what would be right"})


class ProblemShape(Schema):
    """RFC 9457, in Vietnamese unless the caller prefers English."""

    type = fields.String(required=True, metadata={"format": "uri"})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    instance = fields.String(required=True)
    trace_id = fields.String(required=True)
    errors = fields.List(fields.Nested(FieldError), required=True)
    details = fields.Raw(metadata={"description": "facts such as retry_after_seconds"})
