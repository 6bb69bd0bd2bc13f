"""Shapes of what a person asks about the own data, and of the desk's answers."""

from __future__ import annotations

from marshmallow import Schema, fields

from services.gateway.shapes.children import Child, EndedGuardianship
from services.gateway.shapes.parsing import Shape, text


class Correction(Shape):
    full_name = text("the name as it should be", example="Nguyễn Thị Thử")
    birth = text("the birth date as it should be, as exact as it is known", example="1990-05-17")
    sex = text("male or female")


class Withdrawal(Shape):
    password = text("the password in use: the account is closed for good", required=True)


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
    ended_guardianships = fields.List(
        fields.Nested(EndedGuardianship), required=True, metadata={"description": "by an officer"}
    )
    participation = fields.List(fields.Nested("ParticipationItem"), required=True)
