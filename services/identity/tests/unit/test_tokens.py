"""Access tokens: ours are read, all others refused."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, OKPKey

from services.identity.credentials import SCOPE_CITIZEN, Session
from services.identity.refusals import TokenInvalid
from services.identity.tests.unit import samples
from services.identity.tokens import ProofTokens, Tokens, new_staff_token, staff_token_hash

NOW = samples.NOW
SESSION = Session(uuid4(), samples.account(), SCOPE_CITIZEN, NOW)


def key(kid: str) -> OKPKey:
    return OKPKey.generate_key("Ed25519", parameters={"kid": kid})


def tokens(signing: OKPKey, *published: OKPKey) -> Tokens:
    public = KeySet([signing, *published]).as_dict(private=False)
    return Tokens(json.dumps(signing.as_dict(private=True)), json.dumps(public), lifetime_seconds=900)


KEY = key("2026-a")
OURS = tokens(KEY)


def signed(claims: dict[str, Any], header: dict[str, Any] | None = None, by: Any = KEY) -> str:
    header = header or {"alg": "Ed25519", "kid": "2026-a"}
    return jwt.encode(header, claims, by, algorithms=[header["alg"]])


def good_claims(**changes: Any) -> dict[str, Any]:
    issued_at = int(NOW.timestamp())
    values = {
        "iss": "vssid",
        "sub": str(SESSION.account.id),
        "code": "0123456789",
        "scope": "citizen",
        "iat": issued_at,
        "exp": issued_at + 900,
        "sid": str(SESSION.id),
    }
    return {name: value for name, value in {**values, **changes}.items() if value is not None}


def test_a_token_says_who_and_for_what_and_no_more() -> None:
    token = OURS.signed(SESSION, NOW)
    decoded = jwt.decode(token, KEY, algorithms=["Ed25519"])
    assert decoded.header["alg"] == "Ed25519"
    assert decoded.header["kid"] == "2026-a"
    assert set(decoded.claims) == {"iss", "sub", "code", "scope", "iat", "exp", "jti", "sid"}
    claims = OURS.read(token, NOW)
    assert (claims.account_id, claims.session_id) == (SESSION.account.id, SESSION.id)
    assert (claims.code, claims.scope) == ("0123456789", "citizen")


def test_a_token_lasts_fifteen_minutes_and_what_clocks_may_differ() -> None:
    token = OURS.signed(SESSION, NOW)
    for seconds in (-5, 0, 899, 904):
        assert OURS.read(token, NOW + timedelta(seconds=seconds))
    for seconds in (-7, 906):
        with pytest.raises(TokenInvalid):
            OURS.read(token, NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "changes",
    [{"iss": "other"}, {"iss": None}, {"exp": None}, {"sub": "x"}, {"sid": None}, {"sub": 7}, {"code": None}],
)
def test_claims_that_are_not_ours_are_refused(changes: dict[str, Any]) -> None:
    assert OURS.read(signed(good_claims()), NOW)
    with pytest.raises(TokenInvalid):
        OURS.read(signed(good_claims(**changes)), NOW)


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "é", "." * 5000, "eyJhbGciOiJub25lIn0.e30."])
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(TokenInvalid):
        OURS.read(text, NOW)


def test_a_foreign_key_an_unknown_key_and_another_algorithm_are_refused() -> None:
    foreign = key("2026-a")
    unknown = key("2025-z")
    public_key_as_secret = OctKey.import_key(KEY.as_dict(private=False)["x"])
    forgeries = [
        signed(good_claims(), by=foreign),
        signed(good_claims(), {"alg": "Ed25519", "kid": "2025-z"}, unknown),
        signed(good_claims(), {"alg": "HS256", "kid": "2026-a"}, public_key_as_secret),
    ]
    for forgery in forgeries:
        with pytest.raises(TokenInvalid):
            OURS.read(forgery, NOW)


def test_tokens_of_the_key_before_are_read_while_it_is_published() -> None:
    old = key("2025-z")
    token = tokens(old).signed(SESSION, NOW)
    assert tokens(KEY, old).read(token, NOW)
    with pytest.raises(TokenInvalid):
        OURS.read(token, NOW)


def test_what_is_published_holds_no_private_part() -> None:
    assert all("d" not in published for published in OURS.public_keys["keys"])


def test_of_a_staff_token_only_a_hash_is_kept() -> None:
    token = new_staff_token()
    assert len(token) >= 43
    assert token.encode() not in staff_token_hash(token)
    assert staff_token_hash(token) != staff_token_hash(new_staff_token())


def test_every_opaque_token_is_256_bits_of_the_systems_generator_and_hashed_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Refresh tokens, devices' and officers'; none of them repeats what another one holds."""
    drawn: list[bytes] = []
    draw = secrets.token_bytes

    def recorded(size: int | None = None) -> bytes:
        drawn.append(draw(size))
        return drawn[-1]

    monkeypatch.setattr(secrets, "token_bytes", recorded)
    proofs, owner = ProofTokens(b"a key"), uuid4()
    made = [proofs.new(owner), proofs.new(owner), new_staff_token(), new_staff_token()]
    assert [len(random) * 8 for random in drawn] == [256] * 4
    assert len(set(drawn)) == 4
    held = [base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)) for token in made]
    assert held == [owner.bytes + drawn[0], owner.bytes + drawn[1], *drawn[2:]]
    for token, hashed in zip(
        made, [*map(proofs.hash, made[:2]), *map(staff_token_hash, made[2:])], strict=True
    ):
        assert hashed == hashlib.sha256(token.encode()).digest()


def test_the_refresh_token_that_follows_has_256_bits_too() -> None:
    proofs, owner = ProofTokens(b"a key"), uuid4()
    token = proofs.new(owner)
    seen = {token}
    for _ in range(100):
        token = proofs.following(token)
        raw = base64.urlsafe_b64decode(token)
        assert (raw[:16], len(raw[16:]) * 8) == (owner.bytes, 256)
        seen.add(token)
    assert len(seen) == 101
