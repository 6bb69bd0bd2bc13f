"""Shapes of the hotline and of the second step of a log-in."""

from __future__ import annotations

from marshmallow import Schema, fields

from services.gateway.shapes import parsing
from services.gateway.shapes.parsing import Shape, not_longer_than


class HotlineCall(Shape):
    """Any text: what was not understood is answered with a sentence to read, by identity."""

    caller = fields.String(
        required=True,
        metadata={"description": "the calling number, as the network gives it", "examples": ["0912345678"]},
    )
    code = fields.String(
        required=True,
        metadata={
            "description": "the BHXH code or personal number that was spoken, empty where nothing was",
            "examples": ["0123456789"],
        },
    )


class HotlineScript(Schema):
    """What the assistant reads. It holds the password: it is neither logged nor kept."""

    text = fields.String(required=True, metadata={"description": "Vietnamese, digits in pairs, said twice"})
    ssml = fields.String(required=True, metadata={"description": "the same, SSML 1.1"})
    valid_until = fields.String(required=True, metadata={"format": "date-time"})


class LogInStep(Schema):
    """The log-in goes on with the code that was sent by SMS."""

    next_step = fields.String(required=True, metadata={"description": "otp: POST /v1/sessions/otp"})
    log_in_token = fields.String(required=True, metadata={"description": "goes back with the code"})
    valid_until = fields.String(required=True, metadata={"format": "date-time"})
    tries_left = fields.Integer(required=True)


class LogInOtp(Shape):
    log_in_token = fields.String(required=True, validate=not_longer_than(512))
    otp = fields.String(required=True, validate=not_longer_than(20), metadata={"examples": ["123456"]})
    device_name = parsing.device_name()
