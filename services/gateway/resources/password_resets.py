"""A forgotten password: a code to the e-mail registered at first, then a password of one's own choice."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask_smorest import Blueprint

from services.gateway.rpc import services
from services.gateway.shapes.parsing import ShapeParser
from services.gateway.shapes.password_resets import (
    PasswordReset,
    PasswordResetConfirmation,
    PasswordResetFinished,
    PasswordResetStarted,
)

blueprint = Blueprint(
    "password resets", __name__, url_prefix="/v1/password-resets", description="A password that was forgotten"
)
blueprint.ARGUMENTS_PARSER = ShapeParser()


@blueprint.route("", methods=["POST"])
@blueprint.arguments(PasswordReset)
@blueprint.response(202, PasswordResetStarted)
def start(body: dict[str, Any]) -> Any:
    """Ask for a code to the e-mail that was registered at first. The answer is the same for a user who does
    not exist, and for an e-mail that is another."""
    return services().write(
        "identity",
        "start_email_reset",
        user=body["user"],
        email=body.get("email"),
        client=services().caller(),
    )


@blueprint.route("/<uuid:reset_id>/confirmation", methods=["POST"])
@blueprint.arguments(PasswordResetConfirmation)
@blueprint.response(200, PasswordResetFinished)
def finish(body: dict[str, Any], reset_id: UUID) -> dict[str, Any]:
    """The code from the e-mail and the new password, which counts from then on: every session has ended. A
    code is good once, for ten minutes and five tries; a password that is refused uses up none of them. From
    one place so many wrong codes are answered in an hour, of whatever resets.
    Logging in with the device token that is answered works even while others guess at the account."""
    reply = services().call(
        "identity",
        "finish_email_reset",
        reset_id=str(reset_id),
        sealed_otp=services().seal("identity", body["otp"]),
        sealed_new_password=services().seal("identity", body["new_password"]),
        client=services().caller(),
    )
    token = reply.get("sealed_device_token")  # an older identity hands out none
    return {"device_token": services().open(token)} if token else {}
