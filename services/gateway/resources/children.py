"""A parent or guardian, logged in: registering children, and looking up what is held of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import url_for
from flask_smorest import Blueprint

from services.gateway.resources.account import CITIZEN
from services.gateway.rpc import bearer, services
from services.gateway.shapes import children as shapes
from services.gateway.shapes.account import Participation
from services.gateway.shapes.parsing import PageQuery, ShapeParser
from services.gateway.shapes.registrations import Started
from services.gateway.shapes.rights import PersonRequest

blueprint = Blueprint(
    "children", __name__, url_prefix="/v1/me/children", description="Children, by parent or guardian"
)
blueprint.ARGUMENTS_PARSER = ShapeParser()


@blueprint.route("", methods=["POST"])
@blueprint.doc(**CITIZEN)
@blueprint.arguments(shapes.StartForChild)
@blueprint.response(201, Started)
def start(body: dict[str, Any]) -> Any:
    """Start a child's draft; it goes on like any registration, without document, phone and e-mail. The answer
    hands out the resume token, once."""
    view = services().write(
        "registration",
        "start_for_child",
        sealed_token=bearer("identity"),
        relation=body["relation"],
        language=body.get("language", "vi"),
    )
    view = {**view, "resume_token": services().open(view["sealed_resume_token"])}
    return view, 201, {"Location": url_for("registrations.get", registration_id=view["id"])}


@blueprint.route("", methods=["GET"])
@blueprint.doc(**CITIZEN)
@blueprint.response(200, shapes.Children)
def children() -> Any:
    """The children for whom an officer has confirmed the citizen, while they are under age; and what of that
    an officer has ended, without anything of the child."""
    return services().call("identity", "children", sealed_token=bearer("identity"))


@blueprint.route("/<uuid:child_id>/participation", methods=["GET"])
@blueprint.doc(**CITIZEN)
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, Participation)
def participation(query: dict[str, Any], child_id: UUID) -> Any:
    """A child's participation, for its confirmed guardian."""
    return services().call(
        "history",
        "participation",
        sealed_token=bearer("history"),
        cursor=query.get("cursor"),
        child_id=str(child_id),
    )


@blueprint.route("/<uuid:child_id>/erasures", methods=["POST"])
@blueprint.doc(**CITIZEN)
@blueprint.response(202, PersonRequest)
def ask_erasure(child_id: UUID) -> Any:
    """Have erased what no duty keeps of a child, by its confirmed guardian, who is told by SMS and e-mail
    what is gone and what stays, by which duty."""
    return services().write(
        "identity", "ask_childs_erasure", sealed_token=bearer("identity"), child_id=str(child_id)
    )
