"""The citizen with an account: logging in, the password, and what the insurer holds."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import jsonify, url_for
from flask_smorest import Blueprint

from services.gateway.rpc import bearer, services
from services.gateway.shapes import account as shapes
from services.gateway.shapes.hotline import LogInOtp, LogInStep
from services.gateway.shapes.parsing import PageQuery, ShapeParser

blueprint = Blueprint("account", __name__, url_prefix="/v1", description="Logging in and looking up")
blueprint.ARGUMENTS_PARSER = ShapeParser()
CITIZEN: dict[str, Any] = {"security": [{"citizen": []}]}


def _session(reply: dict[str, Any]) -> dict[str, Any]:
    sealed = {name: reply.get(f"sealed_{name}") for name in ("access_token", "refresh_token", "device_token")}
    opened = {name: services().open(text) for name, text in sealed.items() if text}
    return {**reply, **opened, "token_type": "Bearer"}


@blueprint.route("/sessions", methods=["POST"])
@blueprint.arguments(shapes.LogIn)
@blueprint.response(200, shapes.Session)
@blueprint.alt_response(202, schema=LogInStep, description="A code was sent by SMS")
def log_in(body: dict[str, Any]) -> Any:
    """Log in with the BHXH code or personal number and the password. A password that the hotline read aloud
    needs, on a new device, a code by SMS besides: then the answer is 202 and names the next step. Each log-in
    is one of its own, so an Idempotency-Key changes nothing: after an answer that was lost log in again. An
    app that has a device_token sends it; without one the citizen is told of a new device each time."""
    device_token = body.get("device_token")
    reply = services().call(
        "identity",
        "log_in",
        user=body["user"],
        sealed_password=services().seal("identity", body["password"]),
        sealed_device_token=device_token and services().seal("identity", device_token),
        device_name=body.get("device_name"),
        client=services().caller(),
    )
    if reply.get("next_step"):
        return _next_step(reply)
    return _session(reply)


def _next_step(reply: dict[str, Any]) -> Any:
    step = {**reply, "log_in_token": services().open(reply["sealed_log_in_token"])}
    response = jsonify(LogInStep().dump(step))
    response.status_code = 202
    response.headers["Location"] = url_for("account.confirm_log_in")
    return response


@blueprint.route("/sessions/otp", methods=["POST"])
@blueprint.arguments(LogInOtp)
@blueprint.response(200, shapes.Session)
def confirm_log_in(body: dict[str, Any]) -> Any:
    """The second step of a log-in: the code that was sent by SMS, five tries, ten minutes, good once."""
    reply = services().write(
        "identity",
        "confirm_log_in",
        held=body["log_in_token"],
        secret=body["otp"],
        sealed_log_in_token=services().seal("identity", body["log_in_token"]),
        sealed_otp=services().seal("identity", body["otp"]),
        device_name=body.get("device_name"),
        client=services().caller(),
    )
    return _session(reply)


@blueprint.route("/sessions/refresh", methods=["POST"])
@blueprint.arguments(shapes.RefreshToken)
@blueprint.response(200, shapes.Session)
def refresh(body: dict[str, Any]) -> Any:
    """The next access token, and the next refresh token: each is good once. If the answer was lost, the same
    token may be sent again for ten seconds; one that is used again later ends the session."""
    sealed = services().seal("identity", body["refresh_token"])
    return _session(services().call("identity", "refresh", sealed_refresh_token=sealed))


@blueprint.route("/sessions/current", methods=["DELETE"])
@blueprint.doc(**CITIZEN)
@blueprint.response(204)
def log_out() -> None:
    """Log out on this device."""
    services().call("identity", "log_out", sealed_token=bearer("identity"))


@blueprint.route("/me/devices", methods=["GET"])
@blueprint.doc(**CITIZEN)
@blueprint.response(200, shapes.Devices)
def devices() -> Any:
    """Where the citizen is logged in, the last seen first."""
    return services().call("identity", "devices", sealed_token=bearer("identity"))


@blueprint.route("/me/devices", methods=["DELETE"])
@blueprint.doc(**CITIZEN)
@blueprint.response(204)
def log_out_everywhere() -> None:
    """Log out on every device, this one too."""
    services().call("identity", "log_out_everywhere", sealed_token=bearer("identity"))


@blueprint.route("/me/devices/<uuid:device_id>", methods=["DELETE"])
@blueprint.doc(**CITIZEN)
@blueprint.response(204)
def end_device(device_id: UUID) -> None:
    """Log out on one device, such as one that was lost. Other devices get a 401 once and refresh."""
    services().call("identity", "end_device", sealed_token=bearer("identity"), device_id=str(device_id))


@blueprint.route("/me/password", methods=["PUT"])
@blueprint.doc(**CITIZEN)
@blueprint.arguments(shapes.NewPassword)
@blueprint.response(200, shapes.Session)
def change_password(body: dict[str, Any]) -> Any:
    """Change the password; the answer carries a fresh token. The first password must be changed."""
    reply = services().call(
        "identity",
        "change_password",
        sealed_token=bearer("identity"),
        sealed_old_password=services().seal("identity", body["old_password"]),
        sealed_new_password=services().seal("identity", body["new_password"]),
    )
    return _session(reply)


@blueprint.route("/me", methods=["GET"])
@blueprint.doc(**CITIZEN)
@blueprint.response(200, shapes.Me)
def me() -> Any:
    """Whose session this is."""
    return services().call("identity", "me", sealed_token=bearer("identity"))


@blueprint.route("/me/participation", methods=["GET"])
@blueprint.doc(**CITIZEN)
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, shapes.Participation)
def participation(query: dict[str, Any]) -> Any:
    """The citizen's own participation, newest first, with its totals, source and date."""
    return services().call(
        "history", "participation", sealed_token=bearer("history"), cursor=query.get("cursor")
    )
