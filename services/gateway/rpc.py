"""From an HTTP request to a call of a service and back: a thin translation, the same for every route.

Secrets are sealed to the one service that may read them, so the broker never sees one in clear.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Protocol

from flask import current_app, request

from services.gateway.addresses import hidden, network, place
from services.gateway.problems import Problem
from shared.sealed import Sealer

CALLS: dict[str, frozenset[str]] = {
    "registration": frozenset(
        {
            "start", "start_for_child", "get", "save_declaration", "attach_photo", "choose_agency",
            "request_email_otp", "confirm_email_otp", "submit", "send_supplement", "cancel", "timeline",
            "declaration_pdf", "consent", "agencies", "administrative_units",
        }
    ),
    "identity": frozenset(
        {
            "confirm_log_in", "reissue_by_hotline", "activate", "hand_over",
            "log_in", "refresh", "log_out", "log_out_everywhere", "devices", "end_device",
            "change_password", "start_email_reset", "finish_email_reset", "me", "children",
            "export", "ask_correction", "ask_erasure", "ask_childs_erasure", "withdraw_consent",
            "own_requests", "open_requests", "answer_request",
            "staff_log_in", "staff_log_out",
            "cases", "case", "photo", "claim_case", "request_supplement", "change_contact",
            "confirm_case", "reject_case", "open_applications", "supersede", "end_guardianship",
        }
    ),
    "history": frozenset({"participation"}),
}  # fmt: skip
"""All that the gateway asks of each service: what it may call at the broker, and no more."""

IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{16,128}")


class Caller(Protocol):
    """What the gateway needs of ``shared.messaging.rpc.RpcClient``."""

    def call(
        self,
        service: str,
        method: str,
        kwargs: dict[str, Any],
        deadline_seconds: float = 5.0,
        idempotency_key: str | None = None,
    ) -> Any:
        """Ask a service; raises CallRefused, CallTimeout, CallFailed or ServiceUnknown."""


class Services:
    """The services as the routes see them: one call, seals, and who is calling."""

    def __init__(
        self, client: Caller, sealer: Sealer, *, deadline_seconds: float, address_key: bytes
    ) -> None:
        self._client = client
        self._sealer = sealer
        self._deadline_seconds = deadline_seconds
        self._address_key = address_key

    def call(self, service: str, method: str, /, **kwargs: Any) -> Any:
        """One call, with the deadline of the gateway. Refusals and failures go up to ``problems``."""
        return self._client.call(service, method, kwargs, deadline_seconds=self._deadline_seconds)

    def write(
        self,
        service: str,
        method: str,
        /,
        *,
        held: str | None = None,
        secret: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """A call that carries the caller's ``Idempotency-Key``, if there is one.

        The keys of two callers never meet: a key counts only together with what the caller holds, which is
        ``held`` where the body has it, else the token that came with it, or where there is none yet, the
        caller's address. ``secret``: what travels sealed and makes another request of it, such as a code; it
        counts by a digest together with what is held, from which nobody guesses it.
        Raises ``Problem`` when the key has not the shape of one.
        """
        key = request.headers.get("Idempotency-Key")
        if key is not None:
            if not IDEMPOTENCY_KEY.fullmatch(key):
                raise Problem("IdempotencyKeyInvalid")
            held = (
                held
                or request.headers.get("Registration-Token")
                or request.headers.get("Authorization")
                or self.caller()["address"]
            )
            if secret is not None:
                kwargs["secret_digest"] = hashlib.sha256(f"{held}\n{secret}".encode()).hexdigest()
            key = hashlib.sha256(f"{request.path}\n{held}\n{key}".encode()).hexdigest()
        return self._client.call(
            service, method, kwargs, deadline_seconds=self._deadline_seconds, idempotency_key=key
        )

    def seal(self, service: str, secret: str) -> str:
        """``secret`` as only ``service`` can read it."""
        return self._sealer.seal(service, secret)

    def open(self, sealed: str) -> str:
        """A secret that a service sealed to the gateway."""
        return self._sealer.open(sealed)

    def caller(self) -> dict[str, str]:
        """Who calls, for limits: keyed hashes of the address and its network, never the address."""
        address = request.remote_addr or ""
        return {
            "address": hidden(place(address), self._address_key),
            "network": hidden(network(address), self._address_key),
        }


def services() -> Services:
    """The services of the running application."""
    found: Services = current_app.extensions["services"]
    return found


def bearer(service: str) -> str:
    """The bearer token of the request, sealed to ``service``. Raises ``Problem`` when there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip() or len(token) > 4096:
        raise Problem("TokenMissing")
    return services().seal(service, token.strip())


def resume_token() -> str:
    """The registration's resume token, sealed to registration. Raises ``Problem`` when there is none."""
    token = request.headers.get("Registration-Token", "").strip()
    if not token or len(token) > 512:
        raise Problem("ResumeTokenMissing")
    return services().seal("registration", token)
