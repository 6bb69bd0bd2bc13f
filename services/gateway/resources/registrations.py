"""A registration, from the first draft to its end, held by its id and its resume token."""

from __future__ import annotations

import json
from base64 import b64decode
from contextlib import suppress
from typing import Any
from uuid import UUID

from flask import Response, current_app, request, url_for
from flask_smorest import Blueprint
from werkzeug.datastructures import ETags

from services.gateway.rpc import resume_token, services
from services.gateway.shapes import registrations as shapes
from services.gateway.shapes.parsing import ShapeParser
from services.gateway.uploads import receive_photo
from shared.messaging.calls import CallRefused, ServiceUnknown
from shared.objects import ObjectsAway

blueprint = Blueprint("registrations", __name__, url_prefix="/v1/registrations", description="Registering")
blueprint.ARGUMENTS_PARSER = ShapeParser()
TAG_LENGTH = 32
HELD: dict[str, Any] = {"security": [{"resume_token": []}]}


def _held(registration_id: UUID) -> dict[str, str]:
    """What shows that the caller holds the registration."""
    return {"registration_id": str(registration_id), "sealed_resume_token": resume_token()}


@blueprint.route("", methods=["POST"])
@blueprint.arguments(shapes.Start)
@blueprint.response(201, shapes.Started)
def start(body: dict[str, Any]) -> Any:
    """Start a draft. The answer hands out the resume token, once."""
    view = services().write("registration", "start", language=body.get("language", "vi"))
    view = {**view, "resume_token": services().open(view["sealed_resume_token"])}
    return view, 201, {"Location": url_for("registrations.get", registration_id=view["id"])}


@blueprint.route("/<uuid:registration_id>", methods=["GET"])
@blueprint.doc(**HELD)
@blueprint.response(200, shapes.View)
def get(registration_id: UUID) -> Any:
    """Where the registration stands and what it still needs."""
    return services().call("registration", "get", **_held(registration_id))


@blueprint.route("/<uuid:registration_id>/declaration", methods=["PUT"])
@blueprint.doc(**HELD)
@blueprint.arguments(shapes.Declaration)
@blueprint.response(200, shapes.View)
def save_declaration(body: dict[str, Any], registration_id: UUID) -> Any:
    """Step 2. The answer tells whether photos of the ID document are needed."""
    return services().call(
        "registration",
        "save_declaration",
        **_held(registration_id),
        declaration=body,
        client=services().caller(),
    )


@blueprint.route(
    "/<uuid:registration_id>/photos/<any(portrait, id_front, id_back, birth_certificate):kind>",
    methods=["PUT"],
)
@blueprint.doc(
    **HELD,
    requestBody={
        "required": True,
        "content": {
            media: {"schema": {"type": "string", "format": "binary"}} for media in ("image/jpeg", "image/png")
        },
    },
)
@blueprint.response(200, shapes.View)
def attach_photo(registration_id: UUID, kind: str) -> Any:
    """Step 3: one photo, JPEG or PNG, up to 8 MiB, as the body."""
    held = _held(registration_id)
    objects = current_app.extensions["objects"]
    stored = receive_photo(objects, current_app.config["PHOTO_MAX_BYTES"])
    try:
        return services().call(
            "registration",
            "attach_photo",
            **held,
            kind=kind,
            ref=stored.ref,
            sha256=stored.sha256,
            size_bytes=stored.size_bytes,
        )
    except (CallRefused, ServiceUnknown):
        with suppress(ObjectsAway):  # then registration finds it
            objects.delete(stored.ref)  # certainly not attached; after a time-out it might be
        raise


@blueprint.route("/<uuid:registration_id>/agency", methods=["PUT"])
@blueprint.doc(**HELD)
@blueprint.arguments(shapes.Agency)
@blueprint.response(200, shapes.View)
def choose_agency(body: dict[str, Any], registration_id: UUID) -> Any:
    """Step 4: the agency to visit, and the e-mail address."""
    return services().call(
        "registration",
        "choose_agency",
        **_held(registration_id),
        agency_code=body.get("agency_code"),
        email=body.get("email"),
    )


@blueprint.route("/<uuid:registration_id>/email-otp", methods=["POST"])
@blueprint.doc(**HELD)
@blueprint.response(202, shapes.OtpSent)
def request_email_otp(registration_id: UUID) -> Any:
    """Have a code sent to the e-mail address."""
    return services().write(
        "registration",
        "request_email_otp",
        **_held(registration_id),
        client=services().caller(),
    )


@blueprint.route("/<uuid:registration_id>/email-otp/confirmation", methods=["POST"])
@blueprint.doc(**HELD)
@blueprint.arguments(shapes.Otp)
@blueprint.response(200, shapes.View)
def confirm_email_otp(body: dict[str, Any], registration_id: UUID) -> Any:
    """Show that the e-mail address is the citizen's."""
    return services().write(
        "registration",
        "confirm_email_otp",
        **_held(registration_id),
        secret=body["otp"],
        sealed_otp=services().seal("registration", body["otp"]),
    )


@blueprint.route("/<uuid:registration_id>/submission", methods=["POST"])
@blueprint.doc(**HELD)
@blueprint.arguments(shapes.Consent)
@blueprint.response(202, shapes.Submitted)
def submit(body: dict[str, Any], registration_id: UUID) -> Any:
    """Submit the declaration. A second submission gets the same answer and does nothing."""
    submitted = services().write(
        "registration",
        "submit",
        **_held(registration_id),
        consent_version=body.get("consent_version"),
        client=services().caller(),
    )
    return submitted, 202, {"Location": url_for("registrations.timeline", registration_id=registration_id)}


@blueprint.route("/<uuid:registration_id>/supplement", methods=["POST"])
@blueprint.doc(**HELD)
@blueprint.arguments(shapes.Supplement)
@blueprint.response(202, shapes.View)
def send_supplement(body: dict[str, Any], registration_id: UUID) -> Any:
    """Send what the agency asked for, once its photos are attached as in step 3."""
    return services().write(
        "registration", "send_supplement", **_held(registration_id), answer=body.get("answer")
    )


@blueprint.route("/<uuid:registration_id>/timeline", methods=["GET"])
@blueprint.doc(**HELD)
@blueprint.response(200, shapes.Timeline, headers={"ETag": {"schema": {"type": "string"}}})
@blueprint.alt_response(304, description="Nothing new since the given ETag")
def timeline(registration_id: UUID) -> Any:
    """What has happened and what comes next; poll it with ``If-None-Match``."""
    found = services().call(
        "registration", "timeline", **_held(registration_id), known_tags=_tags_of(request.if_none_match)
    )
    unchanged = found["unchanged"]
    text = "" if unchanged else json.dumps(shapes.Timeline().dump(found), ensure_ascii=False)
    response = Response(text, status=304 if unchanged else 200, content_type="application/json")
    response.set_etag(found["tag"])
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _tags_of(known: ETags) -> list[str]:
    """The ETags that a caller sent, a few, of those as long as ours."""
    return sorted(tag for tag in known.as_set(include_weak=True) if len(tag) == TAG_LENGTH)[:8]


@blueprint.route("/<uuid:registration_id>/declaration.pdf", methods=["GET"])
@blueprint.doc(**HELD)
@blueprint.response(200, {"type": "string", "format": "binary"}, content_type="application/pdf")
@blueprint.alt_response(304, description="The same as of the given ETag")
def declaration_pdf(registration_id: UUID) -> Response:
    """The submitted declaration as a PDF; the same bytes each time, until its time is over (410)."""
    found = services().call("registration", "declaration_pdf", **_held(registration_id))
    response = Response(b64decode(found["content"]), content_type="application/pdf")
    response.headers["Content-Disposition"] = f'inline; filename="{found["number"]}.pdf"'
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(found["sha256"])
    return response.make_conditional(request)


@blueprint.route("/<uuid:registration_id>", methods=["DELETE"])
@blueprint.doc(**HELD)
@blueprint.response(202, shapes.State)
def cancel(registration_id: UUID) -> Any:
    """Cancel: a draft is closed at once; of a submitted one the case decides."""
    return services().call("registration", "cancel", **_held(registration_id))
