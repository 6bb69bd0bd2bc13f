"""Shapes of the desk."""

from __future__ import annotations

from marshmallow import Schema, fields

from services.gateway.shapes import parsing
from services.gateway.shapes.parsing import PageQuery, Query, Shape, text


class StaffLogIn(Shape):
    user = parsing.user("user name")
    password = parsing.password()
    totp = text("six digits of the authenticator app, once one was set up", example="123456")
    enrolment_code = text(
        "of the operator, to set up an authenticator app; once, within 72 hours",
        example="MFRG-GZDF-MZTW-Q2LK",
    )
    device_token = text("of an earlier log-in of this officer on this device, if there was one")


class StaffEnrolment(Schema):
    """An authenticator app is to be set up; then the same log-in again, with its code."""

    next_step = fields.String(required=True, metadata={"description": "enrol: POST /v1/staff/sessions"})
    totp_uri = fields.String(
        required=True, metadata={"description": "otpauth://, to be shown as a QR code, once"}
    )


class PapersChecked(Shape):
    papers_checked = fields.Boolean(
        required=True, truthy={True}, falsy={False}, metadata={"description": "the officer saw the papers"}
    )


class Confirmation(PapersChecked):
    guardianship_confirmed = fields.Boolean(
        truthy={True},
        falsy={False},
        metadata={"description": "of a child: the birth certificate shows who may act for it"},
    )


class GuardianshipEnding(Shape):
    reason = text(
        "came_of_age, custody_changed or confirmed_in_error", required=True, example="custody_changed"
    )
    note = text("for the agency alone, 500 characters at the most")


class SupplementRequest(Shape):
    items = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "kinds of photos, and answer", "examples": [["portrait", "answer"]]},
    )
    note = text("told to the citizen; with answer, what is to be answered")


class ContactChange(PapersChecked):
    user = text("BHXH code or personal number", required=True)
    phone = text("the new one, if it changes", example="0912345678")
    email = text("the new one, if it changes")
    reason = text("why, for the record", required=True)


class OpenApplicationQuery(Query):
    number = text("the BHXH code or personal number of whom the papers are")
    phone = text("or the phone, which its owner has shown to be the own one", example="0912345678")


class OpenApplication(Schema):
    declaration_number = fields.String(required=True)
    opened_at = fields.String(required=True)


class OpenApplications(Schema):
    items = fields.List(fields.Nested(OpenApplication), required=True)


class Superseding(PapersChecked):
    number = text("the BHXH code or personal number of whom the papers are")
    phone = text("or the phone, which its owner has shown to be the own one", example="0912345678")
    reason = text("why, for the record", required=True)


class Rejection(Shape):
    reason = text("told to the citizen", required=True)


class CaseQuery(PageQuery):
    status = text("waiting, verified, rejected or closed", example="waiting")
    q = text("name, code or declaration number")


class StaffSession(Schema):
    token = fields.String(required=True)
    expires_at = fields.String(required=True, metadata={"format": "date-time"})
    device_token = fields.String(
        metadata={"description": "of a new device: to keep, and to send at this officer's next log-in"}
    )


class CaseItem(Schema):
    id = fields.String(required=True, metadata={"format": "uuid"})
    registration_id = fields.String(required=True)
    declaration_number = fields.String()
    full_name = fields.String()
    code = fields.String()
    stage = fields.String(
        metadata={"description": "waiting, supplement_requested, awaiting_approval, or its ending"}
    )
    claimed_by = fields.Raw(
        allow_none=True, metadata={"description": "name of the officer who works on it, and until when"}
    )
    opened_at = fields.String()
    deadline = fields.String(allow_none=True)
    register_outcome = fields.String(allow_none=True)
    status = fields.String()


class Cases(Schema):
    items = fields.List(fields.Nested(CaseItem), required=True)
    next_cursor = fields.String(allow_none=True)


class Case(CaseItem):
    """One case with all the officer compares."""

    personal_number = fields.String(allow_none=True)
    sex = fields.String(allow_none=True)
    birth = fields.Raw()
    document = fields.Raw()
    phone = fields.String()
    email = fields.String()
    address = fields.Raw()
    agency_code = fields.String()
    photos = fields.List(fields.Raw())
    mismatched_fields = fields.List(
        fields.String(), metadata={"description": "where the population register disagrees"}
    )
    warnings = fields.List(fields.Raw())
    supplement = fields.Raw(
        allow_none=True, metadata={"description": "what the citizen was asked for, and what came"}
    )
    account = fields.Raw(
        allow_none=True,
        metadata={"description": "of a person verified before: the contact that confirming would replace"},
    )
    guardian = fields.Raw(
        allow_none=True,
        metadata={
            "description": "of a child: who registers it, for the certificate, and until when that holds"
        },
    )
