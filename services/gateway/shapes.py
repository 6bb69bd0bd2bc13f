"""Shapes: the JSON that callers send and get. Which value a field may have is the services' business."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from flask import Request
from marshmallow import RAISE, Schema, ValidationError, fields, pre_load, validate, validates_schema
from webargs.core import is_json
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest

from services.gateway.problems import Problem
from shared.refusals import FieldProblem

WORDS = {
    "Missing data for required field.": ("Bắt buộc phải có.", "This field is required."),
    "Unknown field.": ("Không có trường này.", "There is no such field."),
    "Not a valid string.": ("Phải là chuỗi ký tự.", "Must be a string."),
    "Not a valid boolean.": ("Phải là true hoặc false.", "Must be true or false."),
    "Invalid input type.": ("Phải là một đối tượng JSON.", "Must be a JSON object."),
    "Not a valid number.": ("Phải là một số.", "Must be a number."),
    "Not degrees.": (
        "Phải là số độ: vĩ độ từ -90 đến 90, kinh độ từ -180 đến 180.",
        "Must be degrees: a latitude of -90 to 90, a longitude of -180 to 180.",
    ),
    "Not a valid date.": ("Phải là ngày, ví dụ 2025-06-30.", "Must be a day, as 2025-06-30."),
    "Field may not be null.": ("Không được là null.", "May not be null."),
    "Not a text.": ("Chứa ký tự không hợp lệ.", "Holds a character that is none (U+0000 or half of a pair)."),
}
NO_CHARACTER = re.compile("[\x00\ud800-\udfff]")


class Query(Schema):
    """What a caller sends in the address."""

    @pre_load
    def refuse_what_is_no_text(self, data: Any, **_: Any) -> Any:
        """JSON can spell what neither UTF-8 nor PostgreSQL can hold. Raises ``ValidationError``."""
        if faults := _no_texts(data):
            raise ValidationError(faults)
        return data


class Shape(Query):
    """What a caller sends in a body: a JSON object with these fields and no others."""

    class Meta:
        unknown = RAISE


class ShapeParser(FlaskParser):
    """Parses bodies and query strings; what does not fit is one ``WrongShape`` naming every field."""

    def load_json(self, req: Request, schema: Schema) -> Any:
        if not is_json(req.mimetype):
            raise Problem("UnsupportedMediaType")
        if len(req.get_data()) >= (req.max_content_length or 0):
            raise Problem("BodyTooLarge")  # a body without a length is cut off there, without a word
        try:
            return req.get_json()
        except BadRequest:
            raise Problem("NotJson") from None

    def handle_error(self, error: ValidationError, req: Request, schema: Schema, **_: Any) -> NoReturn:
        raise Problem("WrongShape", *_flat(error.normalized_messages()))


def _no_texts(value: Any) -> Any:
    """marshmallow's tree of messages for the texts in ``value`` that are none; empty when all are."""
    if isinstance(value, str):
        return ["Not a text."] if NO_CHARACTER.search(value) else []
    if isinstance(value, Mapping):
        return {str(name): faults for name, inner in value.items() if (faults := _no_texts(inner))}
    if isinstance(value, list):
        return {str(index): faults for index, inner in enumerate(value) if (faults := _no_texts(inner))}
    return []


def _flat(messages: Any, path: str = "") -> Iterator[FieldProblem]:
    """marshmallow's tree of messages as dotted fields."""
    if isinstance(messages, dict):
        for name, inner in messages.items():
            skip = name in ("json", "query", "_schema")
            yield from _flat(inner, path if skip else f"{path}.{name}".strip("."))
        return
    for message in messages:
        vi, en = WORDS.get(str(message), ("Giá trị sai kiểu.", str(message)))
        yield FieldProblem(path or "body", vi, en)


def text(help_text: str, *, required: bool = False, example: str | None = None) -> fields.String:
    """A string field with its description."""
    metadata: dict[str, Any] = {"description": help_text}
    if example:
        metadata["examples"] = [example]
    return fields.String(required=required, metadata=metadata)


def degrees(most: int, help_text: str) -> fields.Float:
    """A latitude or a longitude."""
    within = validate.Range(-most, most, error="Not degrees.")
    return fields.Float(validate=within, metadata={"description": help_text})


# --- what callers send ---------------------------------------------------------------------------


class Start(Shape):
    language = text("vi or en: the language of messages", example="vi")


class StartForChild(Start):
    relation = text("parent or guardian", required=True, example="parent")


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
    agency_code = text("see /v1/agencies", example="00101")
    email = text("an OTP is sent there", example="an@example.com")


class Otp(Shape):
    otp = text("the code from the e-mail", required=True, example="123456")


class Consent(Shape):
    consent_version = text("the text the citizen agreed to", example="2026-01")


class Supplement(Shape):
    answer = text("to the agency's note, where it was asked for")


class StaffLogIn(Shape):
    user = text("user name", required=True)
    password = text("the password", required=True)


class LogIn(Shape):
    user = text("BHXH code or personal number", required=True)
    password = text("the password", required=True)
    device_token = text("of an earlier log-in on this device, if there was one")
    device_name = text("what the citizen will read in the list of devices", example="Điện thoại của Thử")


class RefreshToken(Shape):
    refresh_token = text("the last one that was handed out; good once", required=True)


class NewPassword(Shape):
    old_password = text("the password in use", required=True)
    new_password = text("the password to come", required=True)


class Correction(Shape):
    full_name = text("the name as it should be", example="Nguyễn Thị Thử")
    birth = text("the birth date as it should be, as exact as it is known", example="1990-05-17")
    sex = text("male or female")


class Withdrawal(Shape):
    password = text("the password in use: the account is closed for good", required=True)


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


class RequestAnswer(Shape):
    granted = fields.Boolean(
        required=True, truthy={True}, falsy={False}, metadata={"description": "whether it is corrected"}
    )
    answer = text("why it is refused, told to the person")
    papers_checked = fields.Boolean(
        truthy={True},
        falsy={False},
        metadata={"description": "the papers were seen; needed to correct"},
    )


class OpenApplicationQuery(Query):
    number = text("the BHXH code or personal number of whom the papers are", required=True)


class OpenApplication(Schema):
    declaration_number = fields.String(required=True)
    opened_at = fields.String(required=True)


class OpenApplications(Schema):
    items = fields.List(fields.Nested(OpenApplication), required=True)


class Superseding(PapersChecked):
    number = text("the BHXH code or personal number of whom the papers are", required=True)
    reason = text("why, for the record", required=True)


class Rejection(Shape):
    reason = text("told to the citizen", required=True)


class AgencyQuery(Query):
    province_code = text("only agencies of this province")
    commune_code = text("the agencies of the commune's province, nearest to the commune first")
    q = text("a part of the name, with or without diacritics", example="dong da")
    latitude = degrees(90, "with longitude: the nearest agencies first, with distance_metres")
    longitude = degrees(180, "with latitude")

    @validates_schema
    def refuse_half_a_place(self, data: dict[str, Any], **_: Any) -> None:
        """Raises ``ValidationError``."""
        if ("latitude" in data) != ("longitude" in data):
            absent = "longitude" if "latitude" in data else "latitude"
            raise ValidationError("Missing data for required field.", absent)


class UnitQuery(Query):
    parent = text("code of the province; without it, the provinces")
    on = fields.Date(
        metadata={
            "description": "as it was that day; with districts until June 2025",
            "examples": ["2025-06-30"],
        }
    )


class ConsentQuery(Query):
    version = text("a version of the text; without it, the one in force", example="2026-01")
    language = text("vi or en; without it vi", example="vi")


class PageQuery(Query):
    cursor = text("next_cursor of the page before")


class CaseQuery(PageQuery):
    status = text("waiting, verified, rejected or closed", example="waiting")
    q = text("name, code or declaration number")


# --- what callers get ----------------------------------------------------------------------------


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


class AgencyItem(Schema):
    code = fields.String(required=True)
    name = fields.String(required=True)
    display_name = fields.String()
    address = fields.String()
    province_code = fields.String()
    commune_code = fields.String()
    latitude = fields.Float(allow_none=True)
    longitude = fields.Float(allow_none=True)
    opening_hours = fields.String(
        allow_none=True,
        metadata={
            "description": "as OpenStreetMap writes them",
            "examples": ["Mo-Fr 07:30-16:30"],
        },
    )
    valid_from = fields.String(allow_none=True, metadata={"format": "date"})
    valid_to = fields.String(allow_none=True, metadata={"format": "date", "description": "the last day"})
    distance_metres = fields.Integer(allow_none=True, metadata={"description": "from the place asked about"})


class Agencies(Schema):
    items = fields.List(fields.Nested(AgencyItem), required=True)


class Unit(Schema):
    code = fields.String(required=True)
    name = fields.String(required=True)
    kind = fields.String()
    parent = fields.String(allow_none=True)
    valid_from = fields.String(allow_none=True, metadata={"format": "date"})
    valid_to = fields.String(allow_none=True, metadata={"format": "date", "description": "the last day"})
    successors = fields.List(
        fields.String(), metadata={"description": "codes of today's units on the ground of a former one"}
    )


class Units(Schema):
    items = fields.List(fields.Nested(Unit), required=True)


class ConsentText(Schema):
    version = fields.String(required=True, metadata={"description": "goes back as consent_version"})
    language = fields.String(required=True)
    text = fields.String(required=True)
    sha256 = fields.String(required=True, metadata={"description": "of the text in UTF-8"})
    in_force = fields.Boolean(required=True)


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


class Children(Schema):
    items = fields.List(fields.Nested(Child), required=True)


class PersonRequest(Schema):
    """What somebody asked about the own data, with the answer once there is one."""

    id = fields.String(required=True, metadata={"format": "uuid"})
    kind = fields.String(required=True, metadata={"description": "export, correction, erasure or withdrawal"})
    asked_at = fields.String(required=True)
    due_at = fields.String(required=True, metadata={"description": "by when it is answered"})
    wanted = fields.Raw(
        metadata={"description": "of a correction the values by field, of an erasure the applications"}
    )
    state = fields.String(required=True, metadata={"description": "open, granted or refused"})
    answer = fields.String(allow_none=True)
    answered_at = fields.String(allow_none=True)


class PersonRequests(Schema):
    items = fields.List(fields.Nested(PersonRequest), required=True)


class RequestAtTheDesk(PersonRequest):
    code = fields.String(required=True)
    held = fields.Raw(required=True, metadata={"description": "what is held now of what may be corrected"})


class RequestsAtTheDesk(Schema):
    items = fields.List(fields.Nested(RequestAtTheDesk), required=True)


class PersonalData(Schema):
    """All that is held of a person."""

    account = fields.Raw(required=True)
    person = fields.Raw(required=True, metadata={"description": "the identity as it was verified"})
    applications = fields.List(fields.Raw(), required=True)
    log_ins = fields.List(fields.Raw(), required=True)
    register_questions = fields.List(
        fields.Raw(),
        required=True,
        metadata={"description": "when the register was asked, and why"},
    )
    password_resets = fields.List(
        fields.Raw(),
        required=True,
        metadata={"description": "when a code to reset the password was sent and used, of the last two days"},
    )
    requests = fields.List(fields.Nested(PersonRequest), required=True)
    children = fields.List(
        fields.Nested(Child),
        required=True,
        metadata={"description": "for whom the citizen was confirmed as guardian, while under age"},
    )
    participation = fields.List(fields.Nested("ParticipationItem"), required=True)


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


class StaffSession(Schema):
    token = fields.String(required=True)
    expires_at = fields.String(required=True, metadata={"format": "date-time"})


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
        metadata={"description": "of a child: who registers it, to compare with the birth certificate"},
    )


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
