"""Shapes of a registration, from its first step to its timeline."""

from __future__ import annotations

from marshmallow import Schema, fields

from services.gateway.shapes.parsing import Shape, text


class Start(Shape):
    language = text("vi or en: the language of messages", example="vi")


class Birth(Shape):
    precision = text("day, month or year", example="day")
    value = text("1990-05-17, 1990-05 or 1990", example="1990-05-17")


class Document(Shape):
    kind = text("cccd, cmnd or passport", example="cccd")
    number = text("cccd: 12 digits; cmnd: 9 digits; passport: letters and digits")


class FormerAddress(Shape):
    province_code = text("see /v1/administrative-units?on=2025-06-30", example="01")
    district_code = text("see /v1/administrative-units?on=2025-06-30&parent=01", example="001")
    commune_code = fields.String(
        allow_none=True, metadata={"description": "of the district; five islands have none"}
    )


class Address(Shape):
    province_code = text("see /v1/administrative-units", example="01")
    commune_code = text("see /v1/administrative-units?parent=…")
    district_name = fields.String(allow_none=True, metadata={"description": "old three-level addresses only"})
    street = text("house, street, hamlet")
    former = fields.Nested(
        FormerAddress,
        allow_none=True,
        metadata={"description": "an address from before 7/2025: fills in province_code and commune_code"},
    )


class Declaration(Shape):
    code = text("the BHXH code, 10 digits, or the personal number, 12 digits", example="0123456789")
    full_name = text("as on the ID document")
    birth = fields.Nested(Birth)
    sex = fields.String(allow_none=True, metadata={"description": "male or female"})
    document = fields.Nested(Document)
    phone = text("the citizen's own mobile number", example="0912345678")
    address = fields.Nested(Address)


class Agency(Shape):
    agency_code = text("see /v1/agencies", example="S001")
    email = text("an OTP is sent there", example="an@example.com")


class Otp(Shape):
    otp = text("the code from the e-mail", required=True, example="123456")


class Consent(Shape):
    consent_version = text("the text the citizen agreed to", example="2026-01")


class Supplement(Shape):
    answer = text("to the agency's note, where it was asked for")


class Steps(Schema):
    declaration = text("missing, done or not_needed")
    photos = text("missing, done or not_needed")
    agency = text("missing, done or not_needed")
    email = text("missing, done or not_needed")


class View(Schema):
    id = fields.String(required=True, metadata={"format": "uuid"})
    status = fields.String(required=True)
    steps = fields.Nested(Steps, required=True)
    missing = fields.List(fields.String(), metadata={"description": "what submission still needs"})
    register_check = fields.String(allow_none=True, metadata={"description": "matched or photos_needed"})
    register_text = fields.String(allow_none=True, metadata={"description": "the same, for the citizen"})
    photos_needed = fields.List(fields.String())
    guardian = fields.Raw(
        allow_none=True, metadata={"description": "of a child: code and relation of who registers it"}
    )
    declaration = fields.Raw(allow_none=True, metadata={"description": "as it was sent"})
    agency = fields.Raw(allow_none=True, metadata={"description": "the chosen agency"})
    email = fields.String(allow_none=True)
    email_verified = fields.Boolean()
    warnings = fields.List(fields.Raw())
    supplement = fields.Raw(
        allow_none=True, metadata={"description": "what the agency asked for: items, note, photos attached"}
    )
    declaration_number = fields.String(allow_none=True)
    deadline = fields.String(allow_none=True, metadata={"description": "last day of the visit"})


class Started(View):
    resume_token = fields.String(required=True, metadata={"description": "told once"})


class OtpSent(Schema):
    valid_until = fields.String(required=True, metadata={"format": "date-time"})
    tries_left = fields.Integer(required=True)


class Submitted(Schema):
    id = fields.String(required=True, metadata={"format": "uuid"})
    status = fields.String(required=True)
    declaration_number = fields.String(allow_none=True)
    deadline = fields.String(allow_none=True)


class State(Schema):
    id = fields.String(required=True, metadata={"format": "uuid"})
    status = fields.String(required=True)


class TimelineEntry(Schema):
    step = fields.String(required=True)
    at = fields.String(required=True, metadata={"format": "date-time"})
    text = fields.String(metadata={"description": "the step as a sentence, in the registration's language"})
    detail = fields.Raw(allow_none=True)


class Next(Schema):
    step = fields.String(allow_none=True)
    text = fields.String(allow_none=True)
    until = fields.String(allow_none=True, metadata={"format": "date-time"})
    agency = fields.String(allow_none=True, metadata={"description": "where the visit is"})


class Timeline(Schema):
    status = fields.String(required=True)
    entries = fields.List(fields.Nested(TimelineEntry), required=True)
    next = fields.Nested(Next, allow_none=True)
