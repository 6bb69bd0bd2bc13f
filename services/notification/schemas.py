"""What callers of notification may send and what they get."""

from __future__ import annotations

from marshmallow import Schema, fields


class MessagesRequest(Schema):
    """Whose messages are asked for."""

    registration_id = fields.UUID(required=True)


class MessageView(Schema):
    """The state of one message; nothing of a person, neither recipient nor text."""

    message_id = fields.String(required=True)
    channel = fields.String(required=True)
    purpose = fields.String(required=True)
    state = fields.String(required=True)
    reason = fields.String(allow_none=True)
    attempts = fields.Integer(required=True)
    at = fields.String(required=True)
