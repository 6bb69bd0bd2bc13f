"""Agencies, administrative units and the consent, for the form. Public, and cacheable."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from services.gateway.rpc import services
from services.gateway.shapes import places as shapes
from services.gateway.shapes.parsing import ShapeParser

blueprint = Blueprint("places", __name__, url_prefix="/v1", description="Agencies and administrative units")
blueprint.ARGUMENTS_PARSER = ShapeParser()
CACHED = {"Cache-Control": "public, max-age=300"}


@blueprint.route("/agencies", methods=["GET"])
@blueprint.arguments(shapes.AgencyQuery, location="query")
@blueprint.response(200, shapes.Agencies)
def agencies(query: dict[str, Any]) -> Any:
    """Agencies: of a province, nearest to a commune or a place, or by a part of the name."""
    return services().call("registration", "agencies", **query), 200, CACHED


@blueprint.route("/administrative-units", methods=["GET"])
@blueprint.arguments(shapes.UnitQuery, location="query")
@blueprint.response(200, shapes.Units)
def administrative_units(query: dict[str, Any]) -> Any:
    """The provinces, or the communes of one; with ``on`` as they were that day."""
    asked = {**query, **({"on": query["on"].isoformat()} if "on" in query else {})}
    return services().call("registration", "administrative_units", **asked), 200, CACHED


@blueprint.route("/consent", methods=["GET"])
@blueprint.arguments(shapes.ConsentQuery, location="query")
@blueprint.response(200, shapes.ConsentText)
def consent(query: dict[str, Any]) -> Any:
    """The text on personal data to agree to, or an earlier version of it."""
    return services().call("registration", "consent", **query), 200, CACHED
