"""The WSGI application: routes, OpenAPI, and what every answer has in common."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from flask import Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider
from flask_smorest import Api
from prometheus_client import Histogram

from services.gateway import problems
from services.gateway.addresses import BehindProxies
from services.gateway.resources import (
    account,
    activations,
    children,
    hotline,
    password_resets,
    places,
    registrations,
    rights,
    staff,
)
from services.gateway.rpc import Services
from services.gateway.shapes.problems import ProblemShape
from shared import logs, metrics, tracing

log = logs.get(__name__)
JSON_MAX_BYTES = 64 * 1024
JSON_MAX_DEPTH = 16
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "Cross-Origin-Resource-Policy": "same-origin",
}
http_seconds = Histogram(
    "vssid_http_seconds",
    "Time to answer a request, by the route's template",
    ["method", "route", "status"],
    buckets=metrics.SECONDS,
    registry=metrics.REGISTRY,
)
Start = Callable[..., Any]


def create(
    services: Services, objects: Any, *, photo_max_bytes: int = 8 * 1024 * 1024, trusted_proxies: int = 0
) -> Flask:
    """The application over ``services`` (RPC) and ``objects`` (the photo store).

    ``trusted_proxies``: how many of the site's own stand before it, one behind the other.
    """
    app = Flask("vssid", static_folder=None)
    app.url_map.strict_slashes = False
    app.json = BoundedJson(app)
    app.config.update(
        MAX_CONTENT_LENGTH=JSON_MAX_BYTES,
        PHOTO_MAX_BYTES=photo_max_bytes,
        API_TITLE="VssID",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
    )
    app.extensions["services"] = services
    app.extensions["objects"] = objects
    api = ProblemApi(app, spec_kwargs={"info": {"description": problems.__doc__}})
    for scheme, shape in SECURITY.items():
        api.spec.components.security_scheme(scheme, shape)
    for resource in RESOURCES:
        api.register_blueprint(resource.blueprint)
    activations.add_page(app)
    problems.register(app)
    app.before_request(_note_start)
    app.after_request(_finish)
    if trusted_proxies:
        app.wsgi_app = BehindProxies(app.wsgi_app, trusted_proxies)  # type: ignore[method-assign]
    app.wsgi_app = Traced(app.wsgi_app)  # type: ignore[method-assign]
    return app


RESOURCES = (
    registrations,
    places,
    account,
    password_resets,
    activations,
    children,
    rights,
    staff,
    hotline,
)
SECURITY = {
    "resume_token": {"type": "apiKey", "in": "header", "name": "Registration-Token"},
    "citizen": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "staff": {"type": "http", "scheme": "bearer"},
    "signature": {"type": "apiKey", "in": "header", "name": "Signature"},
}


class ProblemApi(Api):
    """flask-smorest, with its errors documented as problem+json; ``problems`` answers them."""

    ERROR_SCHEMA = ProblemShape

    def _register_error_handlers(self) -> None:
        return None

    def _register_responses(self) -> None:
        documented, self.DEFAULT_RESPONSE_CONTENT_TYPE = (
            self.DEFAULT_RESPONSE_CONTENT_TYPE,
            "application/problem+json",
        )
        super()._register_responses()
        self.DEFAULT_RESPONSE_CONTENT_TYPE = documented


class BoundedJson(DefaultJSONProvider):
    """JSON without towers of brackets and without NaN; Vietnamese is written as it is."""

    ensure_ascii = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        text = s.decode() if isinstance(s, bytes) else s
        if depth(text) > JSON_MAX_DEPTH:
            raise ValueError("nested too deeply")
        return json.loads(text, parse_constant=_refuse_constant, **kwargs)


def depth(text: str) -> int:
    """How deeply the brackets of a JSON text nest, brackets inside strings not counted."""
    deepest = level = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            level += 1
            deepest = max(deepest, level)
        elif character in "]}":
            level -= 1
    return deepest


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class Traced:
    """Gives each request a trace: the caller's ``traceparent`` or a new one."""

    def __init__(self, inner: Callable[[dict[str, Any], Start], Iterable[bytes]]) -> None:
        self._inner = inner

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        with tracing.start(environ.get("HTTP_TRACEPARENT"), "HTTP", tracing.SERVER):
            return self._inner(environ, start_response)


def _note_start() -> None:
    g.started = time.monotonic()


def _finish(response: Response) -> Response:
    """Headers of every answer, and its line in the access log: the route's template, never a value."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.add("Vary", "Accept-Language")
    context = tracing.current()
    if context:
        response.headers["X-Request-Id"] = context.trace_id
    seconds = time.monotonic() - g.get("started", time.monotonic())
    route = request.url_rule.rule if request.url_rule else "-"
    status = response.status_code
    _describe(route, status)
    http_seconds.labels(request.method if route != "-" else "-", route, status).observe(seconds)
    log.info("request", method=request.method, route=route, status=status, ms=round(seconds * 1000, 1))
    return response


def _describe(route: str, status: int) -> None:
    """What the trace shows of a request: the route's template, and the ids in it, which are UUIDs."""
    ids = {name: str(value) for name, value in (request.view_args or {}).items() if isinstance(value, UUID)}
    tracing.rename(f"{request.method if route != '-' else '-'} {route}")
    tracing.describe(http_status=status, **ids)
    if status >= 500:
        tracing.fail(f"status {status}")
