"""Shapes of a password that was forgotten, or is chosen by a link."""

from __future__ import annotations

from marshmallow import Schema, fields

from services.gateway.shapes.parsing import Shape, text
from services.gateway.shapes.registrations import Otp


class PasswordReset(Shape):
    user = text("BHXH code or personal number", required=True, example="0123456789")
    email = text("the e-mail registered at first: nobody else can then use up the codes of a day")


class PasswordResetConfirmation(Otp):
    new_password = text("the password to come", required=True)


class Activation(Shape):
    link = text("the secret of the link: what stands behind its #", required=True)
    code = text("BHXH code or personal number of the holder", required=True, example="0123456789")
    new_password = text("the password to come", required=True)


class PasswordResetStarted(Schema):
    id = fields.String(required=True, metadata={"format": "uuid"})
    valid_until = fields.String(
        required=True, metadata={"format": "date-time", "description": "of the code, if one was sent"}
    )


class PasswordResetFinished(Schema):
    device_token = fields.String(
        metadata={
            "description": "of the device on which it was chosen: for the next log-in; of repeats the last"
        }
    )
