"""The citizen with an account: logging in, the password, and what the insurer holds."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from services.gateway import shapes
from services.gateway.rpc import bearer, services

blueprint = Blueprint("account", __name__, url_prefix="/v1", description="Logging in and looking up")
blueprint.ARGUMENTS_PARSER = shapes.ShapeParser()
CITIZEN: dict[str, Any] = {"security": [{"citizen": []}]}


def _session(reply: dict[str, Any]) -> dict[str, Any]:
    token = services().open(reply["sealed_access_token"])
    return {**reply, "access_token": token, "token_type": "Bearer"}


@blueprint.route("/sessions", methods=["POST"])
@blueprint.arguments(shapes.LogIn)
@blueprint.response(200, shapes.Session)
def log_in(body: dict[str, Any]) -> Any:
    """Log in with the BHXH code or personal number and the password."""
    reply = services().call(
        "identity",
        "log_in",
        user=body["user"],
        sealed_password=services().seal("identity", body["password"]),
        client=services().caller(),
    )
    return _session(reply)


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
@blueprint.arguments(shapes.PageQuery, location="query")
@blueprint.response(200, shapes.Participation)
def participation(query: dict[str, Any]) -> Any:
    """The citizen's own participation, newest first, with its totals, source and date."""
    return services().call(
        "history", "participation", sealed_token=bearer("history"), cursor=query.get("cursor")
    )
