"""Keys: the one that signs is published, and no other stays published for longer than it is of use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from deploy.vssid.findings import Finding, not_looked_at, note, well, wrong
from deploy.vssid.where import DoctorSettings, load

EDWARDS = ("OKP", "Ed25519")


def key_checks() -> Iterator[Finding]:
    """The keys, where they are known here."""
    held = load(DoctorSettings)
    if not held.token_signing_key or not held.token_public_keys:
        to_do = "TOKEN_SIGNING_KEY and TOKEN_PUBLIC_KEYS (or …_FILE), as identity has them, for this call"
        yield not_looked_at("token keys", "they are not told here", to_do)
        return
    yield from token_keys(_parsed(held.token_signing_key), _parsed(held.token_public_keys).get("keys", []))


def token_keys(signing: dict[str, Any], published: list[dict[str, Any]]) -> Iterator[Finding]:
    """What signs tokens against what verifies them."""
    what = "token keys"
    names = [key.get("kid") for key in published]
    if any("d" in key for key in published):
        yield wrong(
            what, "a private key is published", "take its d out of TOKEN_PUBLIC_KEYS; vssid keys rotate"
        )
    if len(set(names)) != len(names):
        yield wrong(what, "two published keys have one kid", "give each a kid of its own")
    if any((key.get("kty"), key.get("crv")) != EDWARDS for key in [signing, *published]):
        yield wrong(what, "a key is not of Ed25519", "vssid keys rotate makes one that is")
    same = [key for key in published if key.get("kid") == signing.get("kid")]
    if not same or same[0].get("x") != signing.get("x"):
        to_do = "publish its public half in TOKEN_PUBLIC_KEYS of identity and history"
        yield wrong(what, "the one that signs is not published: nobody can log in", to_do)
    elif len(published) > 1:
        yield note(
            what, f"{len(published)} are published", "after a rotation, an hour later: vssid keys forget"
        )
    else:
        yield well(what, "one signs, the same is published")


def _parsed(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
