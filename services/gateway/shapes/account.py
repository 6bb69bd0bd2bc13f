"""Shapes of log-in, devices, the own account and records."""

from __future__ import annotations

from marshmallow import Schema, fields

from services.gateway.shapes import parsing
from services.gateway.shapes.parsing import Shape, text


class LogIn(Shape):
    user = parsing.user("BHXH code or personal number")
    password = parsing.password()
    device_token = text("of an earlier log-in on this device, if there was one")
    device_name = parsing.device_name()


class RefreshToken(Shape):
    refresh_token = text("the last one that was handed out; good once", required=True)


class NewPassword(Shape):
    old_password = text("the password in use", required=True)
    new_password = text("the password to come", required=True)


class Session(Schema):
    access_token = fields.String(required=True)
    token_type = fields.String(required=True)
    expires_in = fields.Integer(required=True, metadata={"description": "seconds"})
    must_change_password = fields.Boolean(required=True)
    refresh_token = fields.String(
        metadata={"description": "for the next access token; none for a first password"}
    )
    device_token = fields.String(
        metadata={"description": "of a new device: to keep, and to send at the next log-in"}
    )


class Device(Schema):
    id = fields.String(required=True, metadata={"format": "uuid"})
    name = fields.String(required=True)
    first_seen_at = fields.String(required=True)
    last_seen_at = fields.String(required=True)
    current = fields.Boolean(required=True, metadata={"description": "whether it is the one that asks"})


class Devices(Schema):
    items = fields.List(fields.Nested(Device), required=True)


class Me(Schema):
    account_id = fields.String(required=True, metadata={"format": "uuid"})
    code = fields.String(required=True)
    full_name = fields.String(required=True)
    must_change_password = fields.Boolean(required=True)


class Totals(Schema):
    months = fields.Integer(required=True)
    unpaid_months = fields.Integer(required=True)


class ParticipationItem(Schema):
    from_month = fields.String(required=True, metadata={"examples": ["2020-01"]})
    to_month = fields.String(allow_none=True)
    employer = fields.String(allow_none=True)
    job_title = fields.String(allow_none=True)
    workplace = fields.String(allow_none=True)
    salary_base = fields.Raw(allow_none=True, metadata={"description": "đồng a month"})
    funds = fields.List(fields.String(), metadata={"description": "BHXH, BHYT, BHTN, BHTNLĐ-BNN"})


class Participation(Schema):
    totals = fields.Nested(Totals, required=True)
    items = fields.List(fields.Nested(ParticipationItem), required=True)
    next_cursor = fields.String(allow_none=True)
    source = fields.String(required=True, allow_none=True)
    as_of = fields.String(required=True, allow_none=True)
