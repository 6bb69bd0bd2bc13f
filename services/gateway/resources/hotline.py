"""The hotline: what the voice platform asks for a caller (guide row G2)."""

from __future__ import annotations

import json
from typing import Any

from flask import request
from flask_smorest import Blueprint

from services.gateway.problems import Problem
from services.gateway.rpc import IDEMPOTENCY_KEY, services
from services.gateway.shapes.hotline import HotlineCall, HotlineScript
from services.gateway.shapes.parsing import ShapeParser

blueprint = Blueprint("hotline", __name__, url_prefix="/v1/hotline", description="For the voice platform")
blueprint.ARGUMENTS_PARSER = ShapeParser()
SIGNATURE = ("signature-input", "signature", "content-digest")
LONGEST_HEADER = 2048


@blueprint.route("/password-reissues", methods=["POST"])
@blueprint.doc(security=[{"signature": []}])
@blueprint.arguments(HotlineCall)
@blueprint.response(200, HotlineScript)
def reissue_password(_body: dict[str, Any]) -> Any:
    """A new password for a caller whose number and spoken code belong to one account: the script to read.
    Of a 422, 429 or 503 read the detail; any other answer is for the platform's operator. The request is
    signed (RFC 9421, Ed25519) over @method, @path, content-digest and, where it is sent, idempotency-key,
    with created, keyid and a nonce of 16 to 128 characters; each signature is good once."""
    reply = services().call(
        "identity",
        "reissue_by_hotline",
        headers=_signature(),
        sealed_body=services().seal("identity", request.get_data(as_text=True)),
        client=services().caller(),
    )
    return {**json.loads(services().open(reply["sealed_script"])), "valid_until": reply["valid_until"]}


def _signature() -> dict[str, str]:
    """The headers by which identity knows whose request it is: it verifies them, not the gateway. Raises
    ``Problem``."""
    found = {name: request.headers.get(name, "") for name in (*SIGNATURE, "idempotency-key")}
    if not all(0 < len(found[name]) <= LONGEST_HEADER for name in SIGNATURE):
        raise Problem("SignatureMissing")
    key = found.pop("idempotency-key")
    if key and not IDEMPOTENCY_KEY.fullmatch(key):
        raise Problem("IdempotencyKeyInvalid")
    return {**found, "idempotency-key": key} if key else found
