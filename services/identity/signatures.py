"""Requests that a voice platform signs (RFC 9421): method, path, body digest (RFC 9530), time and nonce."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

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
        self.found: HotlineKey | None = None
        self.failure: Exception | None = None

    def resolve_public_key(self, key_id: str) -> bytes | None:
        try:
            self.found = self._named(key_id)
        except Exception as error:
            self.failure = error
            raise
        return self.found.public_key.encode() if self.found else None


def verified(headers: Mapping[str, str], body: str, key_named: KeyNamed, *, clock_seconds: int) -> Signed:
    """Whose request it is: one signature, by a registered key, over all that matters, made ``clock_seconds``
    ago at the most, or as far ahead by a clock that is fast. Raises ``SignatureInvalid``, and whatever
    ``key_named`` raises."""
    keys = _Keys(key_named)
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=keys)
    verifier.max_clock_skew = timedelta(seconds=clock_seconds)
    required = (*COVERED, "idempotency-key") if "idempotency-key" in headers else COVERED
    try:
        (result,) = verifier.verify(
            _Request(headers), max_age=timedelta(0), require_components=required, body=body.encode()
        )
    except (InvalidSignature, ValueError):
        raise keys.failure or SignatureInvalid from None
    if keys.found is None or not SHORTEST_NONCE <= len(result.nonce or "") <= LONGEST_NONCE:
        raise SignatureInvalid
    return Signed(keys.found, result.nonce or "")


def public_key(pem: bytes) -> str:
    """An Ed25519 public key as it is kept, PEM. Raises ``ValueError``."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 public key in PEM")
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
