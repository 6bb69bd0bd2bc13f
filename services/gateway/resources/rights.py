"""What people may ask about their own data: to have it, correct it, erase it, to withdraw their consent."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask_smorest import Blueprint

from services.gateway.resources.account import CITIZEN
from services.gateway.resources.staff import STAFF
from services.gateway.rpc import bearer, services
from services.gateway.shapes import rights as shapes
from services.gateway.shapes.parsing import ShapeParser

blueprint = Blueprint("rights", __name__, url_prefix="/v1", description="A person's rights over the own data")
blueprint.ARGUMENTS_PARSER = ShapeParser()
LONGEST_HISTORY_PAGES = 100


@blueprint.route("/me/data", methods=["GET"])
@blueprint.doc(**CITIZEN)
@blueprint.response(200, shapes.PersonalData)
def export() -> Any:
    """All that is held of the citizen, in one document; that it was asked for is recorded."""
    participation = list(_participation())  # first: what identity records as handed over is complete
    held = services().call("identity", "export", sealed_token=bearer("identity"))
    return {**held, "participation": participation}


def _participation() -> Any:
    cursor = None
    for _ in range(LONGEST_HISTORY_PAGES):
        page = services().call("history", "participation", sealed_token=bearer("history"), cursor=cursor)
        yield from page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


@blueprint.route("/me/requests", methods=["GET"])
@blueprint.doc(**CITIZEN)
@blueprint.response(200, shapes.PersonRequests)
def own_requests() -> Any:
    """What the citizen has asked about the own data, and what came of it."""
    return services().call("identity", "own_requests", sealed_token=bearer("identity"))


@blueprint.route("/me/corrections", methods=["POST"])
@blueprint.doc(**CITIZEN)
@blueprint.arguments(shapes.Correction)
@blueprint.response(202, shapes.PersonRequest)
def ask_correction(body: dict[str, Any]) -> Any:
    """Ask for a correction of name, birth date or sex: an officer answers within two working days. Phone and
    e-mail are changed at the agency's desk."""
    return services().write("identity", "ask_correction", sealed_token=bearer("identity"), **body)


@blueprint.route("/me/erasures", methods=["POST"])
@blueprint.doc(**CITIZEN)
@blueprint.response(202, shapes.PersonRequest)
def ask_erasure() -> Any:
    """Have erased what no duty keeps: photos, drafts, and the data of applications that were rejected or
    closed. The answer, under ``/v1/me/requests`` and by e-mail, says what is gone and what stays, by which
    duty."""
    return services().write("identity", "ask_erasure", sealed_token=bearer("identity"))


@blueprint.route("/me/consent-withdrawal", methods=["POST"])
@blueprint.doc(**CITIZEN)
@blueprint.arguments(shapes.Withdrawal)
@blueprint.response(200, shapes.PersonRequest)
def withdraw_consent(body: dict[str, Any]) -> Any:
    """Withdraw the consent and close the account, for good until another registration. What no duty keeps is
    erased. Insurance is not affected."""
    return services().call(
        "identity",
        "withdraw_consent",
        sealed_token=bearer("identity"),
        sealed_password=services().seal("identity", body["password"]),
    )


@blueprint.route("/staff/requests", methods=["GET"])
@blueprint.doc(**STAFF)
@blueprint.response(200, shapes.RequestsAtTheDesk)
def open_requests() -> Any:
    """Requests that wait at the officer's agency, the first due first."""
    return services().call("identity", "open_requests", sealed_staff_token=bearer("identity"))


@blueprint.route("/staff/requests/<uuid:request_id>/answer", methods=["POST"])
@blueprint.doc(**STAFF)
@blueprint.arguments(shapes.RequestAnswer)
@blueprint.response(200, shapes.PersonRequest)
def answer_request(body: dict[str, Any], request_id: UUID) -> Any:
    """Make the correction, the papers seen, or refuse it with a reason; the person is told."""
    return services().write(
        "identity",
        "answer_request",
        sealed_staff_token=bearer("identity"),
        request_id=str(request_id),
        granted=body["granted"],
        answer=body.get("answer"),
        papers_checked=body.get("papers_checked", False),
    )
