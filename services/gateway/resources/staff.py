"""The agency's officers: the cases at the desk and their one decision each."""

from __future__ import annotations

from base64 import b64decode
from itertools import chain
from typing import Any
from uuid import UUID

from flask import Response, current_app, jsonify
from flask_smorest import Blueprint

from services.gateway.problems import Problem
from services.gateway.rpc import bearer, services
from services.gateway.shapes import staff as shapes
from services.gateway.shapes.parsing import ShapeParser
from services.gateway.shapes.registrations import State
from shared.objects import ObjectUnknown
from shared.sealed_objects import ObjectBroken, from_text

blueprint = Blueprint("staff", __name__, url_prefix="/v1/staff", description="Officers at the desk")
blueprint.ARGUMENTS_PARSER = ShapeParser()
STAFF: dict[str, Any] = {"security": [{"staff": []}]}


@blueprint.route("/sessions", methods=["POST"])
@blueprint.arguments(shapes.StaffLogIn)
@blueprint.response(200, shapes.StaffSession)
@blueprint.alt_response(202, schema=shapes.StaffEnrolment, description="An authenticator app is to be set up")
def log_in(body: dict[str, Any]) -> Any:
    """Log in as an officer. On a device whose ``device_token`` is sent, wrong log-ins of others never hold
    back. Where a second factor is asked for, ``totp`` is the code of an authenticator app;
    to whoever has none yet, but the operator's ``enrolment_code``, the answer is 202, with what the app
    reads."""
    proofs = {name: body.get(name) for name in ("totp", "enrolment_code", "device_token")}
    reply = services().call(
        "identity",
        "staff_log_in",
        user=body["user"],
        sealed_password=services().seal("identity", body["password"]),
        client=services().caller(),
        **{
            f"sealed_{name}": None if proof is None else services().seal("identity", proof)
            for name, proof in proofs.items()
        },
    )
    if reply.get("next_step"):
        step = {**reply, "totp_uri": services().open(reply["sealed_totp_uri"])}
        response = jsonify(shapes.StaffEnrolment().dump(step))
        response.status_code = 202
        return response
    session = {"token": services().open(reply["sealed_staff_token"]), "expires_at": reply["expires_at"]}
    made = reply.get("sealed_device_token")  # an older identity hands out none
    return session if made is None else {**session, "device_token": services().open(made)}


@blueprint.route("/sessions/current", methods=["DELETE"])
@blueprint.doc(**STAFF)
@blueprint.response(204)
def log_out() -> None:
    """Log out at this desk; other sessions of the officer go on."""
    services().call("identity", "staff_log_out", sealed_staff_token=bearer("identity"))


@blueprint.route("/cases", methods=["GET"])
@blueprint.doc(**STAFF)
@blueprint.arguments(shapes.CaseQuery, location="query")
@blueprint.response(200, shapes.Cases)
def cases(query: dict[str, Any]) -> Any:
    """Cases of the officer's agency, oldest first."""
    return services().call(
        "identity",
        "cases",
        sealed_staff_token=bearer("identity"),
        status=query.get("status", "waiting"),
        cursor=query.get("cursor"),
        q=query.get("q"),
    )


@blueprint.route("/cases/<uuid:case_id>", methods=["GET"])
@blueprint.doc(**STAFF)
@blueprint.response(200, shapes.Case)
def case(case_id: UUID) -> Any:
    """One case, with what the officer compares with the papers."""
    return services().call("identity", "case", sealed_staff_token=bearer("identity"), case_id=str(case_id))


@blueprint.route(
    "/cases/<uuid:case_id>/photos/<any(portrait, id_front, id_back, birth_certificate):kind>", methods=["GET"]
)
@blueprint.doc(**STAFF)
@blueprint.response(200, {"type": "string", "format": "binary"}, content_type="image/jpeg")
def photo(case_id: UUID, kind: str) -> Response:
    """A photo of the case; every reading is noted in the audit trail."""
    found = services().call(
        "identity", "photo", sealed_staff_token=bearer("identity"), case_id=str(case_id), kind=kind
    )
    key = from_text(services().open(found["sealed_key"]))
    chunks = current_app.extensions["objects"].chunks(found["ref"], key)
    try:
        first = next(chunks)  # what cannot be opened is told before the answer begins
    except (ObjectUnknown, ObjectBroken):
        vi, en = "Ảnh không còn hoặc không đọc được.", "The photo is gone, or cannot be read."
        raise Problem("PhotoUnknown", vi=vi, en=en) from None
    return Response(
        chain([first], chunks), content_type=found["content_type"], headers={"Cache-Control": "no-store"}
    )


@blueprint.route("/cases/<uuid:case_id>/claim", methods=["POST"])
@blueprint.doc(**STAFF)
@blueprint.response(200, shapes.CaseItem)
def claim_case(case_id: UUID) -> Any:
    """Work on a case: for some minutes no colleague decides about it. Again: for as long from now."""
    return services().write(
        "identity", "claim_case", sealed_staff_token=bearer("identity"), case_id=str(case_id)
    )


@blueprint.route("/cases/<uuid:case_id>/supplement-request", methods=["POST"])
@blueprint.doc(**STAFF)
@blueprint.arguments(shapes.SupplementRequest)
@blueprint.response(202, State)
def request_supplement(body: dict[str, Any], case_id: UUID) -> Any:
    """Ask the citizen for photos or an answer; the case comes back to the same officer."""
    return services().write(
        "identity",
        "request_supplement",
        sealed_staff_token=bearer("identity"),
        case_id=str(case_id),
        items=body["items"],
        note=body.get("note"),
    )


@blueprint.route("/cases/<uuid:case_id>/verification", methods=["POST"])
@blueprint.doc(**STAFF)
@blueprint.arguments(shapes.Confirmation)
@blueprint.response(202, State)
def confirm_case(body: dict[str, Any], case_id: UUID) -> Any:
    """The papers were checked: the citizen is verified, once, for life, a child with its guardian."""
    return services().write(
        "identity",
        "confirm_case",
        sealed_staff_token=bearer("identity"),
        case_id=str(case_id),
        papers_checked=body["papers_checked"],
        guardianship_confirmed=body.get("guardianship_confirmed", False),
    )


@blueprint.route("/cases/<uuid:case_id>/handover", methods=["POST"])
@blueprint.doc(**STAFF)
@blueprint.arguments(shapes.PapersChecked)
@blueprint.response(200, {"type": "string", "format": "binary"}, content_type="application/pdf")
def hand_over(body: dict[str, Any], case_id: UUID) -> Response:
    """Hand the account over at the counter, the papers checked: a slip with user name and a first password,
    as a PDF. With the same Idempotency-Key the same slip; without one another, and the one before is void."""
    made = services().write(
        "identity",
        "hand_over",
        sealed_staff_token=bearer("identity"),
        case_id=str(case_id),
        papers_checked=body["papers_checked"],
    )
    headers = {
        "Content-Disposition": f'inline; filename="{made["number"]}.pdf"',
        "Cache-Control": "no-store",
    }
    content = b64decode(services().open(made["sealed_slip"]))
    return Response(content, content_type="application/pdf", headers=headers)


@blueprint.route("/cases/<uuid:case_id>/rejection", methods=["POST"])
@blueprint.doc(**STAFF)
@blueprint.arguments(shapes.Rejection)
@blueprint.response(202, State)
def reject_case(body: dict[str, Any], case_id: UUID) -> Any:
    """Reject, with a reason that the citizen is told."""
    return services().write(
        "identity",
        "reject_case",
        sealed_staff_token=bearer("identity"),
        case_id=str(case_id),
        reason=body["reason"],
    )


@blueprint.route("/cases/<uuid:case_id>/guardianship-ending", methods=["POST"])
@blueprint.doc(**STAFF)
@blueprint.arguments(shapes.GuardianshipEnding)
@blueprint.response(202, State)
def end_guardianship(body: dict[str, Any], case_id: UUID) -> Any:
    """End the guardianship that was confirmed by this case: who was the guardian is told, and sees nothing of
    the child any more; the child is reached at another guardian's contact, or nowhere."""
    return services().write(
        "identity",
        "end_guardianship",
        sealed_staff_token=bearer("identity"),
        case_id=str(case_id),
        reason=body["reason"],
        note=body.get("note"),
    )


@blueprint.route("/contact-changes", methods=["POST"])
@blueprint.doc(**STAFF)
@blueprint.arguments(shapes.ContactChange)
@blueprint.response(202, State)
def change_contact(body: dict[str, Any]) -> Any:
    """Give a verified person another phone or e-mail, the papers seen. Pending: a registration that was not
    verified holds the phone and is being closed; ask again for what came of it."""
    return services().call(
        "identity",
        "change_contact",
        sealed_staff_token=bearer("identity"),
        user=body["user"],
        phone=body.get("phone"),
        email=body.get("email"),
        papers_checked=body["papers_checked"],
        reason=body["reason"],
    )


@blueprint.route("/open-applications", methods=["GET"])
@blueprint.doc(**STAFF)
@blueprint.arguments(shapes.OpenApplicationQuery, location="query")
@blueprint.response(200, shapes.OpenApplications)
def open_applications(query: dict[str, Any]) -> Any:
    """What holds the code or the phone of a person at the desk who was told that it is taken: applications
    that were not decided, at whatever agency, by number and date alone. Looking is noted in the audit
    trail."""
    return services().call(
        "identity",
        "open_applications",
        sealed_staff_token=bearer("identity"),
        number=query.get("number"),
        phone=query.get("phone"),
    )


@blueprint.route("/open-applications/<declaration_number>/superseding", methods=["POST"])
@blueprint.doc(**STAFF)
@blueprint.arguments(shapes.Superseding)
@blueprint.response(202, State)
def supersede(body: dict[str, Any], declaration_number: str) -> Any:
    """Close the application that holds the code or phone, the papers of its owner seen. Whoever made it is
    told; the person then submits the own application."""
    return services().write(
        "identity",
        "supersede",
        sealed_staff_token=bearer("identity"),
        number=body.get("number"),
        phone=body.get("phone"),
        declaration_number=declaration_number,
        papers_checked=body["papers_checked"],
        reason=body["reason"],
    )
