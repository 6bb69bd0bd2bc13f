"""Requests that a voice platform signs (RFC 9421): method, path, body digest (RFC 9530), time and nonce."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from http_message_signatures import (
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
    algorithms,
)

from services.identity.hotline import (
    LONGEST_NONCE,
    METHOD,
    PATH,
    SHORTEST_NONCE,
    Flaw,
    HotlineKey,
    SignatureInvalid,
)

COVERED = ("@method", "@path", "content-digest")
KeyNamed = Callable[[str], HotlineKey | None]


@dataclass(frozen=True)
class Signed:
    """Whose request it is, and the nonce by which it is known again."""

    key: HotlineKey
    nonce: str


@dataclass(frozen=True)
class _Request:
    """As the library reads it. The place is ours, not what a caller says: its host is nobody's."""

    headers: Mapping[str, str] = field(repr=False)
    method: str = METHOD
    url: str = f"https://vssid.invalid{PATH}"


class _Keys(HTTPSignatureKeyResolver):
    """The library takes whatever fails in here for a wrong signature: ``failure`` is what did."""

    def __init__(self, named: KeyNamed) -> None:
        self._named = named
        self.were_asked = False
        self.found: HotlineKey | None = None
        self.failure: Exception | None = None

    def resolve_public_key(self, key_id: str) -> bytes | None:
        self.were_asked = True
        try:
            self.found = self._named(key_id)
        except Exception as error:
            self.failure = error
            raise
        if self.found is None or self.found.disabled_at is not None:
            return None
        return self.found.public_key.encode()


class _Verifier(HTTPMessageVerifier):
    """``is_timely`` is False once a request was made at another time than it may be."""

    is_timely = True

    def validate_created_and_expires(self, *args: Any, **kwargs: Any) -> None:
        self.is_timely = False
        super().validate_created_and_expires(*args, **kwargs)
        self.is_timely = True


def verified(headers: Mapping[str, str], body: str, key_named: KeyNamed, *, clock_seconds: int) -> Signed:
    """Whose request it is: one signature, by a registered key in use, over all that matters, made
    ``clock_seconds`` ago at the most, or as far ahead by a clock that is fast. Raises ``SignatureInvalid``,
    and whatever ``key_named`` raises."""
    keys = _Keys(key_named)
    verifier = _Verifier(signature_algorithm=algorithms.ED25519, key_resolver=keys)
    verifier.max_clock_skew = timedelta(seconds=clock_seconds)
    request = _Request(headers)
    try:
        (result,) = verifier.verify(request, max_age=timedelta(0))
    except (InvalidSignature, ValueError):
        raise keys.failure or _refusal(verifier, keys) from None
    key = keys.found
    if key is None or key.disabled_at is not None:
        raise _refusal(verifier, keys)
    required = (*COVERED, "idempotency-key") if "idempotency-key" in headers else COVERED
    if not {f'"{name}"' for name in required} <= result.covered_components.keys():
        raise SignatureInvalid(Flaw.NOT_COVERED, key.id)
    try:
        verifier.verify_body(request, [result], body.encode())
    except (InvalidSignature, ValueError):
        raise SignatureInvalid(Flaw.BODY, key.id) from None
    if not SHORTEST_NONCE <= len(result.nonce or "") <= LONGEST_NONCE:
        raise SignatureInvalid(Flaw.NONCE, key.id)
    return Signed(key, result.nonce or "")


def _refusal(verifier: _Verifier, keys: _Keys) -> SignatureInvalid:
    """Why the library refused, by how far it came: it looks at the form, the time, the key, the signature."""
    if not verifier.is_timely:
        return SignatureInvalid(Flaw.CLOCK)
    if not keys.were_asked:
        return SignatureInvalid(Flaw.MALFORMED)
    if keys.found is None:
        return SignatureInvalid(Flaw.KEY_UNKNOWN)
    is_disabled = keys.found.disabled_at is not None
    return SignatureInvalid(Flaw.KEY_DISABLED if is_disabled else Flaw.SIGNATURE, keys.found.id)


def public_key(pem: bytes) -> str:
    """An Ed25519 public key as it is kept, PEM. Raises ``ValueError``."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 public key in PEM")
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
