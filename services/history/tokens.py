"""The citizen's access token: opened, and verified with the keys that identity publishes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.history.domain import Claims, TokenInvalid

ALGORITHM = "Ed25519"
ISSUER = "vssid"
LONGEST_TOKEN = 4096
CLOCK_SKEW_SECONDS = 5


class Tokens:
    """Reads what any of the published keys signed (a JWKS as JSON)."""

    def __init__(self, public_keys: str, open_sealed: Callable[[str], str]) -> None:
        self._keys = KeySet.import_key_set(json.loads(public_keys))
        self._open = open_sealed

    def read(self, sealed_token: str, now: datetime) -> Claims:
        """What the token says. Raises ``TokenInvalid`` for anything that is not a token of ours, in force."""
        rules = jwt.JWTClaimsRegistry(
            now=lambda: int(now.timestamp()),
            leeway=CLOCK_SKEW_SECONDS,
            iss={"essential": True, "value": ISSUER},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            token = self._open(sealed_token)
            if len(token) > LONGEST_TOKEN:
                raise TokenInvalid
            claims = jwt.decode(token, self._keys, algorithms=[ALGORITHM]).claims
            rules.validate(claims)
            return Claims(
                account_id=UUID(claims["sub"]),
                code=_text(claims["code"]),
                scope=_text(claims["scope"]),
                issued_at=datetime.fromtimestamp(claims["iat"], UTC),
            )
        except (JoseError, KeyError, ValueError, TypeError, AttributeError, OverflowError):
            raise TokenInvalid from None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("not a text")
    return value
