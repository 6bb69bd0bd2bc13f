"""Which tokens open anything: only those that identity's keys signed, in force, unchanged."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey

from services.history.domain import TokenInvalid
from services.history.tests.unit.examples import ACCOUNT, CODE, NOW
from services.history.tokens import Tokens

KEY = OKPKey.generate_key("Ed25519", parameters={"kid": "k1"})
OTHER = OKPKey.generate_key("Ed25519", parameters={"kid": "k1"})
PUBLIC = json.dumps({"keys": [KEY.as_dict(private=False)]})


def token(key: Any = KEY, alg: str = "Ed25519", header: dict[str, Any] | None = None, **changes: Any) -> str:
    issued_at = int(NOW.timestamp())
    claims = {
        "iss": "vssid",
        "sub": str(ACCOUNT),
        "code": CODE,
        "scope": "citizen",
        "iat": issued_at,
        "exp": issued_at + 900,
        "jti": "j",
        "sid": str(ACCOUNT),
    } | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": alg, "kid": "k1"} | (header or {}), claims, key, algorithms=[alg])


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(PUBLIC, lambda sealed: sealed)


def test_a_token_of_identity_is_read(tokens: Tokens) -> None:
    claims = tokens.read(token(), NOW)
    assert (claims.account_id, claims.code, claims.scope) == (ACCOUNT, CODE, "citizen")
    assert claims.issued_at == datetime.fromtimestamp(int(NOW.timestamp()), UTC)


def test_an_expired_token_is_refused(tokens: Tokens) -> None:
    tokens.read(token(), NOW + timedelta(seconds=899))
    with pytest.raises(TokenInvalid):
        tokens.read(token(), NOW + timedelta(seconds=906))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "other"},
        {"iss": None},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": None},
        {"iat": int(NOW.timestamp()) + 3600},
        {"sub": "not an id"},
        {"sub": None},
        {"code": None},
        {"code": ["0123456789", "9999999999"]},
        {"code": ""},
        {"scope": None},
        {"scope": ["citizen"]},
    ],
)
def test_a_token_with_a_missing_or_strange_claim_is_refused(tokens: Tokens, changes: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        tokens.read(token(**changes), NOW)


def test_forged_tokens_are_refused(tokens: Tokens) -> None:
    unsigned = ".".join([*token().split(".")[:2], ""])
    swapped = ".".join([token().split(".")[0], token(code="9999999999").split(".")[1], token().split(".")[2]])
    hmac = token(OctKey.import_key(PUBLIC.encode()), "HS256")
    curve = token(ECKey.generate_key("P-256", parameters={"kid": "k1"}), "ES256")
    strangers = [token(OTHER), token(header={"kid": "k2"}), hmac, curve]
    for forged in [*strangers, unsigned, swapped, "", "x.y.z", "a" * 10_000]:
        with pytest.raises(TokenInvalid):
            tokens.read(forged, NOW)


def test_both_keys_count_while_they_are_changed() -> None:
    new = OKPKey.generate_key("Ed25519", parameters={"kid": "k2"})
    both = json.dumps({"keys": [KEY.as_dict(private=False), new.as_dict(private=False)]})
    tokens = Tokens(both, lambda sealed: sealed)
    assert tokens.read(token(), NOW).code == CODE
    assert tokens.read(token(new, header={"kid": "k2"}), NOW).code == CODE
