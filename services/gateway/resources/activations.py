"""An account activated by the link of an e-mail: the page that the link opens, and what it sends.

The link's secret stands behind a ``#``, which no browser sends: opening the page, or having it opened by
what scans e-mails, changes nothing and tells nobody.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask, Response
from flask_smorest import Blueprint

from services.gateway.rpc import services
from services.gateway.shapes.parsing import ShapeParser
from services.gateway.shapes.password_resets import Activation

blueprint = Blueprint(
    "activations", __name__, url_prefix="/v1/activations", description="A link that came by e-mail"
)
blueprint.ARGUMENTS_PARSER = ShapeParser()

PAGES = Path(__file__).parents[1] / "pages"
FILES = {
    "/activation": ("activation.html", "text/html"),
    "/activation.js": ("activation.js", "text/javascript"),
}
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
"""The form itself may send nothing: until the script is there, it would put the password into a URL."""


@blueprint.route("", methods=["POST"])
@blueprint.arguments(Activation)
@blueprint.response(204)
def activate(body: dict[str, Any]) -> None:
    """Choose a password by a link, with the BHXH code. The link is good once, for five wrong codes; a
    password that is refused uses up neither. Wrong, late and used links are answered alike."""
    services().call(
        "identity",
        "activate",
        sealed_link=services().seal("identity", body["link"]),
        sealed_code=services().seal("identity", body["code"]),
        sealed_new_password=services().seal("identity", body["new_password"]),
    )


def add_page(app: Flask) -> None:
    """The page for a browser, and its script."""
    for path, (name, content_type) in FILES.items():
        content = (PAGES / name).read_text("utf-8")
        app.add_url_rule(path, name, partial(_page, content, content_type), methods=["GET"])


def _page(content: str, content_type: str) -> Response:
    headers = {"Content-Security-Policy": POLICY}
    return Response(content, content_type=f"{content_type}; charset=utf-8", headers=headers)
