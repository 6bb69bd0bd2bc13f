"""Access tokens (JWT, alg ``Ed25519`` of RFC 9864, 15 minutes) and the opaque tokens of staff."""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from services.identity.domain import Claims, Session, TokenInvalid

ALGORITHM = "Ed25519"
ISSUER = "vssid"
LONGEST_TOKEN = 4096
CLOCK_SKEW_SECONDS = 5
"""By which the clocks of two replicas may differ."""


class Tokens:
    """Signs with one private key and reads whatever the published keys signed, so keys can be changed."""

    def __init__(self, signing_key: str, public_keys: str, *, lifetime_seconds: int) -> None:
        self._key = OKPKey.import_key(json.loads(signing_key))
        self._published = json.loads(public_keys)
        self._readable = KeySet.import_key_set(self._published)
        self.lifetime_seconds = lifetime_seconds

    @property
    def public_keys(self) -> dict[str, Any]:
        """The JWKS with which others verify our tokens."""
        return dict(self._published)

    def signed(self, session: Session, now: datetime) -> str:
        """An access token of this session."""
        issued_at = now.timestamp()  # to the microsecond, so that it is before or after an ending of sessions
        claims = {
            "iss": ISSUER,
            "sub": str(session.account.id),
            "code": session.account.code,
            "scope": session.scope,
            "iat": issued_at,
            "exp": int(issued_at) + self.lifetime_seconds,
            "jti": str(uuid4()),
            "sid": str(session.id),
        }
        header = {"alg": ALGORITHM, "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])

    def read(self, token: str, now: datetime) -> Claims:
        """What a token of ours says. Raises ``TokenInvalid`` for any other text and after its expiry."""
        claims = self._verified(token, now)
        try:
            return Claims(UUID(claims["sub"]), str(claims["code"]), str(claims["scope"]), UUID(claims["sid"]))
        except (KeyError, ValueError, TypeError, AttributeError):
            pass
        raise TokenInvalid

    def _verified(self, token: str, now: datetime) -> dict[str, Any]:
        rules = jwt.JWTClaimsRegistry(
            now=lambda: int(now.timestamp()),
            leeway=CLOCK_SKEW_SECONDS,
            iss={"essential": True, "value": ISSUER},
            exp={"essential": True},
        )
        try:
            if len(token) <= LONGEST_TOKEN:
                decoded = jwt.decode(token, self._readable, algorithms=[ALGORITHM])
                rules.validate(decoded.claims)
                return decoded.claims
        except (JoseError, ValueError, TypeError):
            pass
        raise TokenInvalid


def new_staff_token() -> str:
    """An opaque token, 256 bits."""
    return secrets.token_urlsafe(32)


def staff_token_hash(token: str) -> bytes:
    """What is stored of a staff token; 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).digest()
