"""Access tokens (JWT, alg ``Ed25519`` of RFC 9864, 15 minutes) and the opaque tokens of staff."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from services.identity.credentials import Claims, Session
from services.identity.refusals import TokenInvalid

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

    def signed(self, session: Session, at: datetime) -> str:
        """An access token of this session, issued then."""
        issued_at = at.timestamp()  # to the microsecond, so that it is before or after an ending of sessions
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


class ProofTokens:
    """Opaque tokens that name what they prove: an id and 256 bits. What is stored is a hash."""

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.blake2b(key, person=b"vssid refresh").digest()

    def new(self, owner: UUID) -> str:
        """Another one of this session or device."""
        return _written(owner, secrets.token_bytes(32))

    def following(self, token: str) -> str:
        """The one that comes after: the same each time, and known to nobody who has not the key."""
        owner, secret = _read(token)
        return _written(owner, hashlib.blake2b(secret, key=self._key, digest_size=32).digest())

    @staticmethod
    def owner(token: str) -> UUID:
        """Whose it says it is. Raises ``TokenInvalid``."""
        return _read(token)[0]

    @staticmethod
    def hash(token: str) -> bytes:
        """What is stored of it; 256 random bits need no salt and no slow hash."""
        return hashlib.sha256(token.encode()).digest()


def _written(owner: UUID, secret: bytes) -> str:
    return base64.urlsafe_b64encode(owner.bytes + secret).decode()


def _read(token: str) -> tuple[UUID, bytes]:
    try:
        raw = base64.b64decode(token.encode(), b"-_", validate=True)
    except (ValueError, UnicodeEncodeError):
        raise TokenInvalid from None
    if len(raw) != 48 or _written(UUID(bytes=raw[:16]), raw[16:]) != token:
        raise TokenInvalid
    return UUID(bytes=raw[:16]), raw[16:]


def new_staff_token() -> str:
    """An opaque token, 256 bits."""
    return secrets.token_urlsafe(32)


def staff_token_hash(token: str) -> bytes:
    """What is stored of a staff token; 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def staff_device_token(key: str, device: UUID, staff_id: UUID, app: bytes) -> str:
    """Proves that this member of staff was logged in on the device. Stored nowhere: it is made again with the
    service's own ``key`` and compared, and ``app``, the seed of the authenticator app, ends it with the app.
    It opens nothing; it is counted apart when passwords are wrong."""
    own = hashlib.blake2b(key.encode(), person=b"vssid staff dev").digest()
    about = staff_id.bytes + device.bytes + app
    return _written(device, hashlib.blake2b(about, key=own, digest_size=32).digest())
